//! Backups in every stage of being compressed: whoever dies, rotates or writes meanwhile, each is there once and whole.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::*;
use crate::logs::pump::Notice;
use crate::logs::scene::Dir;
use crate::logs::sink::{Destination, Sink};
use crate::wake::{Bell, Post};

const KINDS: [Kind; 2] = [Kind::Gzip, Kind::Zstd];

fn compressor() -> (Arc<Compressor>, Receiver<Notice>) {
    let (post, notices) = Post::new(&Bell::new().unwrap());
    (Compressor::new(Reports::without_audience(post)), notices)
}

fn job(dir: &Dir, kind: Kind) -> Job {
    Job { path: dir.file("log").into(), backups: 5, kind }
}

/// What is in a file, compressed or not.
fn plain(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    let mut text = Vec::new();
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("gz") => drop(MultiGzDecoder::new(&bytes[..]).read_to_end(&mut text).unwrap()),
        Some("zst") => drop(StreamingDecoder::new(&bytes[..]).unwrap().read_to_end(&mut text).unwrap()),
        _ => text = bytes,
    }
    text
}

fn all(dir: &Dir) -> BTreeMap<String, String> {
    let entries = fs::read_dir(dir.path()).unwrap().map(Result::unwrap);
    let of = |path: &Path| String::from_utf8_lossy(&plain(path)).into_owned();
    entries.map(|entry| (entry.file_name().into_string().unwrap(), of(&entry.path()))).collect()
}

fn row(files: &[(&str, &str)]) -> Dir {
    let dir = Dir::new();
    for (name, text) in files {
        fs::write(dir.file(name), text).unwrap();
    }
    dir
}

fn texts(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

const OLD: [(&str, &str); 4] = [("log", "now"), ("log.1", "one"), ("log.2", "two"), ("log.3", "three")];

#[test]
fn whatever_a_program_says_comes_out_again() {
    let dir = Dir::new();
    let numbers: Vec<u8> = (0..100_000).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
    let noise: Vec<u8> =
        (0..300_000u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    let samples: [&[u8]; 6] = [b"x", b"\n\n\n", &numbers, &noise, &[0; 1_000_000], &noise[..131_072]];
    for (kind, sample) in KINDS.into_iter().flat_map(|kind| samples.map(|sample| (kind, sample))) {
        fs::write(dir.file("plain"), sample).unwrap();
        let name = format!("pressed{}", kind.ending());
        let open = |name: &str| File::open(dir.file(name)).unwrap();
        press(kind, &open("plain"), &File::create(dir.file(&name)).unwrap()).unwrap();
        assert!(plain(&dir.file(&name)) == sample, "{kind:?}, {} bytes", sample.len());
        assert!(is_same(kind, &open("plain"), &open(&name)).unwrap());
        fs::write(dir.file("plain"), [sample, b"x"].concat()).unwrap();
        assert!(!is_same(kind, &open("plain"), &open(&name)).unwrap(), "it is not the same any more");
    }
}

/// For a while none were to be compressed, so the plain ones have come to the numbers of others.
#[test]
fn a_backup_whose_number_is_that_of_another_compressed_one_stays_plain_and_ends_nobody() {
    for kind in KINDS {
        let dir = row(&OLD);
        let (by, _notices) = compressor();
        by.look_through(&job(&dir, kind)).unwrap();
        for name in ["log.1", "log.2"] {
            fs::write(dir.file(name), format!("plain {name}")).unwrap();
        }
        by.look_through(&job(&dir, kind)).unwrap();
        let ending = kind.ending();
        let [one, two, three] = [1, 2, 3].map(|n| format!("log.{n}{ending}"));
        let mut expected = texts(&[("log", "now"), ("log.1", "plain log.1"), ("log.2", "plain log.2")]);
        expected.extend([(one, "one".to_owned()), (two, "two".to_owned()), (three, "three".to_owned())]);
        assert_eq!(all(&dir), expected);
    }
}

#[test]
fn what_is_called_off_is_not_put_in_place_and_may_be_wanted_again() {
    let dir = row(&OLD);
    let (by, _notices) = compressor();
    let wanted = job(&dir, Kind::Gzip);
    lock(&by.queue).jobs.insert(Arc::clone(&wanted.path), wanted.clone());
    let under_way = by.next().unwrap();
    by.call_off(&wanted.path);
    by.look_through(&under_way).unwrap();
    assert_eq!(all(&dir), texts(&OLD));
    lock(&by.queue).jobs.insert(Arc::clone(&wanted.path), wanted.clone());
    by.call_off(&wanted.path);
    assert_eq!(by.next(), None, "what has not begun is not begun");
    lock(&by.queue).jobs.insert(Arc::clone(&wanted.path), wanted);
    by.look_through(&by.next().unwrap()).unwrap();
    assert!(dir.file("log.1.gz").exists() && !dir.file("log.1").exists());
}

#[test]
fn a_full_disk_is_an_error_of_either() {
    let dir = row(&[("plain", &"some text\n".repeat(100_000))]);
    for kind in KINDS {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let e = press(kind, &File::open(dir.file("plain")).unwrap(), &full).unwrap_err();
        assert_eq!(e.kind(), io::ErrorKind::StorageFull, "{kind:?}: {e}");
        let unreadable = File::options().write(true).open(dir.file("plain")).unwrap();
        assert!(press(kind, &unreadable, &File::create(dir.file("to")).unwrap()).is_err());
    }
}

#[test]
fn each_rotation_is_followed_by_smaller_backups_that_together_hold_everything() {
    for (kind, wanted) in KINDS.into_iter().zip([Compress::Gzip, Compress::Zstd]) {
        let dir = Dir::new();
        let (compressor, notices) = compressor();
        let compression = Compression::new(wanted, &compressor);
        let to =
            Destination { maxbytes: 2000, backups: 1000, compression, ..Destination::new(dir.file("log")) };
        let mut sink = Sink::open(to).unwrap();
        let text: String = (0..5000).map(|n| format!("line {n}\n")).collect();
        for piece in text.as_bytes().chunks(500) {
            sink.write(piece).1.unwrap();
        }
        let end = Instant::now() + Duration::from_secs(30);
        while lock(&compressor.queue).is_running {
            assert!(Instant::now() < end, "it does not come to an end");
            std::thread::yield_now();
        }
        let (mut whole, mut n) = (plain(&dir.file("log")), 1);
        while let Some(file) =
            Some(dir.file(&format!("log.{n}{}", kind.ending()))).filter(|file| file.exists())
        {
            whole.splice(..0, plain(&file));
            n += 1;
        }
        assert!(n > 20 && whole == text.as_bytes(), "{} of {} bytes in {n} files", whole.len(), text.len());
        assert_eq!((all(&dir).len(), notices.try_iter().count()), (n, 0));
    }
}

#[test]
fn whoever_dies_when_nothing_is_lost_and_nothing_is_there_twice() {
    let lives: [fn(&Compressor, &Job, &Dir); 2] = [
        |compressor, job, _| compressor.look_through(job).unwrap(),
        |compressor, job, dir| {
            let at = File::open(dir.path()).unwrap().into();
            Row::new(&at, "log".as_ref(), true).shift(5).unwrap();
            compressor.look_through(job).unwrap();
        },
    ];
    let then = [
        [("log", "now"), ("log.1.gz", "one"), ("log.2.gz", "two"), ("log.3.gz", "three")],
        [("log.1.gz", "now"), ("log.2.gz", "one"), ("log.3.gz", "two"), ("log.4.gz", "three")],
    ];
    for (second, expected) in lives.into_iter().zip(then) {
        let mut steps = 0;
        loop {
            steps += 1;
            let dir = row(&OLD);
            let (compressor, _notices) = compressor();
            let job = job(&dir, Kind::Gzip);
            let died = death::after(steps, || compressor.look_through(&job).unwrap());
            second(&compressor, &job, &dir);
            assert_eq!(all(&dir), texts(&expected), "killed after step {steps}");
            if !died {
                break;
            }
        }
        assert!(steps > 12, "{steps}");
    }
}

#[test]
fn a_backup_that_moves_up_meanwhile_is_put_where_it_is_then() {
    let dir = row(&OLD);
    let (compressor, _notices) = compressor();
    let job = job(&dir, Kind::Zstd);
    let place = walk::find_name(&job.path).unwrap();
    let row = Row::new(&place.dir, &place.name, true);
    let name = unfinished(&place);
    let mut source = Source::open(&place, row.backup(1, "")).unwrap().unwrap();
    make(&place, &name, job.kind, &mut source).unwrap();
    row.shift(5).unwrap();
    assert!(compressor.put_in_place(&place, row, &job, &name, &source).unwrap());
    let expected = [("log.1", "now"), ("log.2.zst", "one"), ("log.3", "two"), ("log.4", "three")];
    assert_eq!(all(&dir), texts(&expected));
}

#[test]
fn what_has_changed_or_gone_meanwhile_or_is_another_brains_is_let_be() {
    let changes: [fn(&Dir, &Compressor); 3] = [
        |dir, _| fs::write(dir.file("log.1"), "more than that").unwrap(),
        |dir, _| fs::remove_file(dir.file("log.1")).unwrap(),
        |_, compressor| compressor.close(),
    ];
    for change in changes {
        let dir = row(&OLD);
        let (compressor, _notices) = compressor();
        let job = job(&dir, Kind::Gzip);
        let place = walk::find_name(&job.path).unwrap();
        let row = Row::new(&place.dir, &place.name, true);
        let mut source = Source::open(&place, row.backup(1, "")).unwrap().unwrap();
        make(&place, &unfinished(&place), job.kind, &mut source).unwrap();
        change(&dir, &compressor);
        let before = all(&dir);
        assert!(!compressor.put_in_place(&place, row, &job, &unfinished(&place), &source).unwrap());
        assert_eq!(all(&dir), before);
    }
}

#[test]
fn a_backup_that_is_still_written_to_waits() {
    let dir = row(&OLD);
    let (compressor, _notices) = compressor();
    let job = job(&dir, Kind::Gzip);
    let writer = File::options().append(true).open(dir.file("log.1")).unwrap();
    let _reader = File::open(dir.file("log.2")).unwrap();
    compressor.look_through(&job).unwrap();
    let expected = [("log", "now"), ("log.1", "one"), ("log.2.gz", "two"), ("log.3.gz", "three")];
    assert_eq!(all(&dir), texts(&expected));
    drop(writer);
    compressor.look_through(&job).unwrap();
    assert!(dir.file("log.1.gz").exists() && !dir.file("log.1").exists());
}

#[test]
fn a_failure_is_told_of_once_until_it_is_over() {
    let dir = row(&OLD);
    let (compressor, notices) = compressor();
    let job = job(&dir, Kind::Gzip);
    // Not empty, so that it cannot be taken out of the way.
    fs::create_dir_all(dir.file("log.compressing/in the way")).unwrap();
    for _ in 0..2 {
        compressor.note(&job, compressor.look_through(&job));
    }
    let said: Vec<String> = notices
        .try_iter()
        .filter_map(|notice| match notice {
            Notice::Say { text, .. } => Some(text),
            _ => None,
        })
        .collect();
    assert!(said.len() == 1 && said[0].starts_with("cannot compress the backups of "), "{said:?}");
    fs::remove_dir_all(dir.file("log.compressing")).unwrap();
    compressor.note(&job, compressor.look_through(&job));
    assert!(dir.file("log.3.gz").exists() && lock(&compressor.queue).troubled.is_empty());
}

#[test]
fn owner_mode_and_time_are_kept_and_others_files_are_let_be() {
    let dir = row(&OLD);
    chown(dir.file("log.1"), Some(54_000), Some(54_001)).unwrap();
    fs::set_permissions(dir.file("log.1"), fs::Permissions::from_mode(0o604)).unwrap();
    let facts = |name: &str| {
        let is = fs::metadata(dir.file(name)).unwrap();
        (is.uid(), is.gid(), is.mode() & 0o7777, is.modified().unwrap())
    };
    let before = facts("log.1");
    fs::write(dir.file("secret"), "secret").unwrap();
    fs::remove_file(dir.file("log.2")).unwrap();
    symlink("secret", dir.file("log.2")).unwrap();
    let (compressor, _notices) = compressor();
    compressor.look_through(&job(&dir, Kind::Gzip)).unwrap();
    assert_eq!(facts("log.1.gz"), before);
    assert!(dir.file("log.2").is_symlink() && dir.file("log.3.gz").exists());
    // In a directory of somebody's a file of many names may be brought there by whom it does not belong to.
    chown(dir.path(), Some(54_000), None).unwrap();
    fs::remove_file(dir.file("log.2")).unwrap();
    fs::hard_link(dir.file("secret"), dir.file("log.2")).unwrap();
    let refused = compressor.look_through(&job(&dir, Kind::Gzip)).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    assert!(!dir.file("log.2.gz").exists());
}
