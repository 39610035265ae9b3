//! A disk that can be made to hang: a file system in this process, which answers nobody as long as a certain file is there.
//!
//! In: where it is to be mounted, and the name of that file (the word `stuck-disk` of `provost-child`). Out: one directory of files in
//! memory. Whoever asks for anything meanwhile waits in the kernel as on a file server that is gone, and can only be killed.
//! The protocol is that of `linux/fuse.h`, version 7.31; of its calls there are those that a log needs.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};

use crate::deadline::{Deadline, readable};

/// The number of the directory.
const ROOT: u64 = 1;
/// The longest write that we are sent, and what comes before its bytes.
const MOST: usize = 128 * 1024;
const HEAD: usize = 40;
const WRITE_HEAD: usize = 40;

const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const SETATTR: u32 = 4;
const UNLINK: u32 = 10;
const OPEN: u32 = 14;
const READ: u32 = 15;
const WRITE: u32 = 16;
const RELEASE: u32 = 18;
const INIT: u32 = 26;
const OPENDIR: u32 = 27;
const RELEASEDIR: u32 = 29;
const CREATE: u32 = 35;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;

/// In what `SETATTR` sets: the size.
const SIZE: u32 = 1 << 3;
/// In what `INIT` offers: writes of more than a page.
const BIG_WRITES: u32 = 1 << 5;
/// In what `OPEN` says: nothing is kept by the kernel.
const DIRECT_IO: u32 = 1;

/// A mounted disk, before anybody is answered.
#[derive(Debug)]
pub struct StuckDisk {
    kernel: File,
    /// While this is there nobody is answered.
    stuck: PathBuf,
    names: BTreeMap<Vec<u8>, u64>,
    files: BTreeMap<u64, Vec<u8>>,
}

/// A question of the kernel's.
struct Request<'a> {
    call: u32,
    node: u64,
    body: &'a [u8],
}

type Answer = Result<Vec<u8>, Errno>;

impl StuckDisk {
    /// Mounts it, which takes the right to do so.
    ///
    /// # Errors
    /// When that is refused.
    pub fn mount(place: &Path, stuck: &Path) -> io::Result<StuckDisk> {
        let kernel = File::options().read(true).write(true).open("/dev/fuse")?;
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0,allow_other", kernel.as_raw_fd());
        let options = CString::new(options).expect("there is no zero in it");
        mount("stuck", place, "fuse", MountFlags::NOSUID | MountFlags::NODEV, Some(options.as_c_str()))?;
        Ok(StuckDisk { kernel, stuck: stuck.into(), names: BTreeMap::new(), files: BTreeMap::new() })
    }

    /// Answers until it is unmounted.
    ///
    /// # Errors
    /// When the kernel does not speak to us any more.
    pub fn serve(mut self) -> io::Result<()> {
        let mut question = vec![0; MOST + HEAD + WRITE_HEAD + 4096];
        loop {
            // Looked at first and read later: what has been read cannot even be killed.
            if !readable(&self.kernel, Deadline::default()) {
                continue;
            }
            while self.stuck.exists() {
                std::thread::sleep(Duration::from_millis(2));
            }
            let n = match self.kernel.read(&mut question) {
                Ok(n) => n,
                // Somebody has been killed before we read what he wanted.
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) if e.raw_os_error() == Some(Errno::NODEV.raw_os_error()) => return Ok(()),
                Err(e) => return Err(e),
            };
            let unique = question[8..16].to_vec();
            let request =
                Request { call: u32_at(&question, 4), node: u64_at(&question, 16), body: &question[HEAD..n] };
            if [FORGET, BATCH_FORGET, INTERRUPT].contains(&request.call) {
                continue;
            }
            let (error, body) = match self.answer(&request) {
                Ok(body) => (0, body),
                Err(e) => (-e.raw_os_error(), Vec::new()),
            };
            let length = u32::try_from(16 + body.len()).expect("answers are short");
            let answer = [&length.to_le_bytes()[..], &error.to_le_bytes(), &unique, &body].concat();
            match self.kernel.write_all(&answer) {
                // Whoever asked has been killed meanwhile.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
    }

    fn answer(&mut self, request: &Request<'_>) -> Answer {
        let (node, body) = (request.node, request.body);
        match request.call {
            INIT => Ok(init()),
            LOOKUP => match self.names.get(name(body)) {
                Some(node) => Ok(self.entry(*node)),
                None => Err(Errno::NOENT),
            },
            CREATE => {
                // What comes before the name says how.
                let node = self.make(name(body.get(16..).ok_or(Errno::INVAL)?));
                Ok([self.entry(node), opened(node)].concat())
            }
            OPEN | OPENDIR => Ok(opened(node)),
            RELEASE | RELEASEDIR => Ok(Vec::new()),
            GETATTR => Ok([vec![0; 16], self.attributes(node)].concat()),
            SETATTR => {
                if u32_at(body, 0) & SIZE != 0 {
                    self.file(node)?.resize(u64_at(body, 16) as usize, 0);
                }
                Ok([vec![0; 16], self.attributes(node)].concat())
            }
            READ => {
                let (from, most) = (u64_at(body, 8) as usize, u32_at(body, 16) as usize);
                let file = self.file(node)?;
                let from = from.min(file.len());
                Ok(file[from..file.len().min(from + most)].to_vec())
            }
            WRITE => {
                let (at, data) = (u64_at(body, 8) as usize, &body[WRITE_HEAD..]);
                let file = self.file(node)?;
                file.resize(file.len().max(at + data.len()), 0);
                file[at..at + data.len()].copy_from_slice(data);
                Ok([&(data.len() as u32).to_le_bytes()[..], &[0; 4]].concat())
            }
            UNLINK => match self.names.remove(name(body)) {
                Some(_) => Ok(Vec::new()),
                None => Err(Errno::NOENT),
            },
            _ => Err(Errno::NOSYS),
        }
    }

    fn make(&mut self, name: &[u8]) -> u64 {
        let node = ROOT + 1 + self.files.len() as u64;
        self.names.insert(name.to_vec(), node);
        self.files.insert(node, Vec::new());
        node
    }

    fn file(&mut self, node: u64) -> Result<&mut Vec<u8>, Errno> {
        self.files.get_mut(&node).ok_or(Errno::ISDIR)
    }

    /// A node with its attributes, of which the kernel is to remember nothing.
    fn entry(&self, node: u64) -> Vec<u8> {
        [&node.to_le_bytes()[..], &[0; 32], &self.attributes(node)].concat()
    }

    fn attributes(&self, node: u64) -> Vec<u8> {
        let (mode, size) = match self.files.get(&node) {
            Some(file) => (0o100_644_u32, file.len() as u64),
            None => (0o040_755, 0),
        };
        let times_and_parts = [0; 36];
        let (links, owner_and_device, block) = (1_u32, [0; 12], 4096_u32);
        [
            &node.to_le_bytes()[..],
            &size.to_le_bytes(),
            &size.div_ceil(512).to_le_bytes(),
            &times_and_parts,
            &mode.to_le_bytes(),
            &links.to_le_bytes(),
            &owner_and_device,
            &block.to_le_bytes(),
            &[0; 4],
        ]
        .concat()
    }
}

/// Version 7.31, and writes as long as we read them.
fn init() -> Vec<u8> {
    let words = [7, 31, MOST as u32, BIG_WRITES, 0, MOST as u32, 1];
    let mut body: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    body.resize(64, 0);
    body
}

fn opened(node: u64) -> Vec<u8> {
    [&node.to_le_bytes()[..], &DIRECT_IO.to_le_bytes(), &[0; 4]].concat()
}

/// Up to the zero that ends it.
fn name(body: &[u8]) -> &[u8] {
    body.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
