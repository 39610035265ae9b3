//! Bytes of an HTTP answer to its status and body, whatever pieces they come in.
//!
//! No reading here: whoever reads feeds it, so that a call which blocks and a
//! stream which is waited for among others use the same one.

/// An answer while it arrives.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Not understood yet.
    waiting: Vec<u8>,
    head: Option<Head>,
    part: Part,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) reason: String,
    /// Whether the connection may be used again.
    pub(crate) keep_alive: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Head,
    /// So many bytes of the body, or of a chunk, are still to come.
    Counted(u64),
    InChunk(u64),
    ChunkSize,
    /// Lines after the last chunk, up to an empty one.
    Trailer,
    UntilClosed,
    Done,
}

/// A head longer than this is not a daemon's.
const LONGEST_HEAD: usize = 64 * 1024;

impl Answer {
    /// Takes more bytes and appends what is body to `body`.
    pub(crate) fn feed(&mut self, bytes: &[u8], body: &mut Vec<u8>) -> Result<(), String> {
        self.waiting.extend_from_slice(bytes);
        while self.advance(body)? {}
        if self.waiting.len() > LONGEST_HEAD {
            return Err("an HTTP head or chunk size that never ends".to_owned());
        }
        Ok(())
    }

    pub(crate) fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    pub(crate) fn is_done(&self) -> bool {
        self.part == Part::Done
    }

    /// Bytes of the body that are still to come, as far as that is known.
    pub(crate) fn announced(&self) -> usize {
        match self.part {
            Part::Counted(left) | Part::InChunk(left) => usize::try_from(left).unwrap_or(usize::MAX),
            Part::Head | Part::ChunkSize | Part::Trailer | Part::UntilClosed | Part::Done => 0,
        }
    }

    /// The other side closed the line: is that all right here?
    pub(crate) fn may_end(&self) -> bool {
        matches!(self.part, Part::Done | Part::UntilClosed)
    }

    /// One step; false when more bytes are needed.
    fn advance(&mut self, body: &mut Vec<u8>) -> Result<bool, String> {
        match self.part {
            Part::Head => self.read_head(),
            Part::Counted(0) => {
                self.part = Part::Done;
                Ok(true)
            }
            Part::Counted(left) => {
                let count = self.hand_over(left, body);
                self.part = Part::Counted(left - count);
                Ok(count > 0)
            }
            Part::ChunkSize => self.read_chunk_size(),
            Part::InChunk(0) => {
                // The line end after a chunk.
                let Some(line) = self.line() else { return Ok(false) };
                if !line.is_empty() {
                    return Err("a chunk is longer than it says".to_owned());
                }
                self.part = Part::ChunkSize;
                Ok(true)
            }
            Part::InChunk(left) => {
                let count = self.hand_over(left, body);
                self.part = Part::InChunk(left - count);
                Ok(count > 0)
            }
            Part::Trailer => {
                let Some(line) = self.line() else { return Ok(false) };
                if line.is_empty() {
                    self.part = Part::Done;
                }
                Ok(true)
            }
            Part::UntilClosed => {
                self.hand_over(u64::MAX, body);
                Ok(false)
            }
            Part::Done => Ok(false),
        }
    }

    fn read_head(&mut self) -> Result<bool, String> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let length = match response.parse(&self.waiting) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(false),
            Err(error) => return Err(format!("no HTTP answer: {error}")),
        };
        let header = |name: &str| {
            let found = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            found.map(|header| String::from_utf8_lossy(header.value).trim().to_ascii_lowercase())
        };
        let version = response.version.unwrap_or_default();
        let keep_alive = match header("connection").as_deref() {
            Some("close") => false,
            Some("keep-alive") => true,
            _ => version >= 1,
        };
        self.part = match (header("transfer-encoding").as_deref(), header("content-length")) {
            (Some("chunked"), _) => Part::ChunkSize,
            (_, Some(length)) => {
                Part::Counted(length.parse().map_err(|_| format!("Content-Length is {length:?}"))?)
            }
            (_, None) => Part::UntilClosed,
        };
        self.head = Some(Head {
            status: response.code.unwrap_or_default(),
            reason: response.reason.unwrap_or_default().to_owned(),
            keep_alive: keep_alive && self.part != Part::UntilClosed,
        });
        self.waiting.drain(..length);
        Ok(true)
    }

    fn read_chunk_size(&mut self) -> Result<bool, String> {
        match httparse::parse_chunk_size(&self.waiting) {
            Ok(httparse::Status::Partial) => Ok(false),
            Err(_) => Err("a chunk size that is no number".to_owned()),
            Ok(httparse::Status::Complete((line, size))) => {
                self.waiting.drain(..line);
                self.part = if size == 0 { Part::Trailer } else { Part::InChunk(size) };
                Ok(true)
            }
        }
    }

    /// Moves at most `limit` waiting bytes to the body.
    fn hand_over(&mut self, limit: u64, body: &mut Vec<u8>) -> u64 {
        let count = usize::try_from(limit).unwrap_or(usize::MAX).min(self.waiting.len());
        body.extend(self.waiting.drain(..count));
        count as u64
    }

    /// A whole line, without its end.
    fn line(&mut self) -> Option<Vec<u8>> {
        let end = self.waiting.iter().position(|&byte| byte == b'\n')?;
        let mut line: Vec<u8> = self.waiting.drain(..=end).collect();
        line.truncate(line.trim_ascii_end().len());
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, body, done; in pieces of `piece` bytes.
    fn read(text: &str, piece: usize) -> Result<(u16, String, bool), String> {
        let (mut answer, mut body) = (Answer::default(), Vec::new());
        for bytes in text.as_bytes().chunks(piece) {
            answer.feed(bytes, &mut body)?;
        }
        let status = answer.head().map(|head| head.status).unwrap_or_default();
        Ok((status, String::from_utf8(body).unwrap(), answer.is_done()))
    }

    #[test]
    fn bodies_are_the_same_in_whatever_pieces_they_come() {
        let counted = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\nA;x=y\r\nlo\r\nworld!\r\n0\r\nX: y\r\n\r\n";
        for piece in [1, 2, 3, 7, 1000] {
            assert_eq!(read(counted, piece), Ok((200, "hello".to_owned(), true)));
            assert_eq!(read(chunked, piece), Ok((200, "hello\r\nworld!".to_owned(), true)));
        }
    }

    #[test]
    fn an_answer_without_length_lasts_until_the_line_closes() {
        let (mut answer, mut body) = (Answer::default(), Vec::new());
        answer.feed(b"HTTP/1.0 404 Not Found\r\n\r\nabc", &mut body).unwrap();
        assert!(answer.may_end() && !answer.is_done());
        let head = Head { status: 404, reason: "Not Found".to_owned(), keep_alive: false };
        assert_eq!((answer.head(), body.as_slice()), (Some(&head), b"abc".as_slice()));
    }

    #[test]
    fn cut_off_answers_may_not_end() {
        for text in ["", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"] {
            let mut answer = Answer::default();
            answer.feed(text.as_bytes(), &mut Vec::new()).unwrap();
            assert!(!answer.may_end(), "{text:?}");
        }
    }

    #[test]
    fn other_languages_are_refused() {
        assert!(read("SSH-2.0-OpenSSH_9.2\r\n", 100).is_err());
        assert!(read("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", 100).is_err());
        assert!(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 100).is_err());
        assert!(read(&format!("HTTP/1.1 200 OK\r\nA: {}", "b".repeat(70_000)), 1000).is_err());
    }
}
