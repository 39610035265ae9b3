// A listener for Node, which takes whatever pieces come. Out: type and payload of each event, in hexadecimal, in the file that it is
// given.
const fs = require("node:fs");

let waiting = Buffer.alloc(0);
process.stdin.on("data", (piece) => {
  waiting = Buffer.concat([waiting, piece]);
  for (;;) {
    const end = waiting.indexOf("\n");
    if (end < 0) return;
    const words = waiting.toString("ascii", 0, end).split(" ").map((word) => word.split(":"));
    const header = Object.fromEntries(words);
    const payload = waiting.subarray(end + 1, end + 1 + Number(header.len));
    if (payload.length < Number(header.len)) return;
    waiting = waiting.subarray(end + 1 + payload.length);
    fs.appendFileSync(process.argv[2], `${header.eventname} ${payload.toString("hex")}\n`);
    process.stdout.write("RESULT 2\nOKREADY\n");
  }
});
process.stdout.write("READY\n");
