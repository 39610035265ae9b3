//! Attacks on a root that opens logs, and what an honest machine looks like. They need root, as planting for others does.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown, lchown, symlink};

use super::*;
use crate::logs::scene::Dir;

/// Two users who are not root.
const APP: u32 = 54_000;
const OTHER: u32 = 54_001;

fn write_to(path: &Path) -> io::Result<Open> {
    for_writing(path, &OpenHow::default())
}

/// A directory of that owner's in the scene.
fn directory(dir: &Dir, name: &str, owner: u32, mode: u32) {
    let path = dir.file(name);
    fs::create_dir(&path).unwrap();
    chown(&path, Some(owner), Some(owner)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

fn file(dir: &Dir, name: &str, owner: u32) {
    fs::write(dir.file(name), "").unwrap();
    chown(dir.file(name), Some(owner), None).unwrap();
}

fn link(dir: &Dir, name: &str, to: &str, owner: u32) {
    symlink(to, dir.file(name)).unwrap();
    lchown(dir.file(name), Some(owner), None).unwrap();
}

/// A root's directory with a secret in it, one of each user's with a log, one for everybody as /tmp is, one without that care.
fn machine() -> Dir {
    let dir = Dir::new();
    for (name, owner, mode) in [
        ("root", 0, 0o755),
        ("app", APP, 0o755),
        ("app/logs", APP, 0o755),
        ("other", OTHER, 0o755),
        ("sticky", 0, 0o1777),
        ("open", 0, 0o777),
        ("group", 0, 0o775),
    ] {
        directory(&dir, name, owner, mode);
    }
    for (name, owner) in [("root/secret", 0), ("app/logs/log", APP), ("app/old", 0), ("other/keys", OTHER)] {
        file(&dir, name, owner);
    }
    dir
}

#[test]
fn what_was_honest_goes_on_working() {
    assert!(walk::is_root(), "this test needs root");
    let dir = machine();
    file(&dir, "sticky/ours", 0);
    file(&dir, "open/app", APP);
    file(&dir, "app/of-other", OTHER);
    // Capistrano: links of the user's among directories of the user's. An administrator's link. Images: to our own output.
    link(&dir, "app/current", "logs", APP);
    link(&dir, "app/log", dir.file("app/logs/log").to_str().unwrap(), APP);
    link(&dir, "root/app", "../app", 0);
    link(&dir, "root/log", dir.file("root/secret").to_str().unwrap(), 0);
    link(&dir, "group/log", "../root/secret", 0);
    link(&dir, "app/elsewhere", "../other", APP);
    link(&dir, "app/null", "/dev/stderr", APP);
    for name in [
        "root/new",
        "app/new",
        "app/logs/log",
        "app/old",
        "app/of-other",
        "sticky/ours",
        "sticky/new",
        "open/app",
        "open/new",
        "app/current/log",
        "app/current/new",
        "app/log",
        "root/app/logs/log",
        "root/log",
        "group/log",
        "app/elsewhere/new",
        "app/../root/new",
        "app/null",
        "./app/./new",
    ] {
        let opened = write_to(&dir.file(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(opened.may_rotate, name != "app/null", "{name}");
    }
}

#[test]
fn whatever_others_plant_root_writes_and_reads_nothing_but_logs() {
    let dir = machine();
    let root = dir.file("root");
    let root = root.to_str().unwrap();
    link(&dir, "app/secret", &format!("{root}/secret"), APP);
    link(&dir, "app/made", &format!("{root}/made"), APP);
    // Root's own link, but brought to this place by whom?
    link(&dir, "app/moved", "../root/secret", 0);
    link(&dir, "app/dir", root, APP);
    link(&dir, "app/far", "dir/secret", APP);
    link(&dir, "app/keys", "../other/keys", APP);
    link(&dir, "app/proc", "/proc/self/cwd/Cargo.toml", APP);
    link(&dir, "app/device", "/dev/null", APP);
    link(&dir, "open/secret", "../root/secret", APP);
    link(&dir, "sticky/log", "../app/logs/log", APP);
    link(&dir, "root/through", "../app/dir", 0);
    for name in ["app/hard", "open/hard", "sticky/hard"] {
        fs::hard_link(dir.file("root/secret"), dir.file(name)).unwrap();
    }
    fs::hard_link(dir.file("root/through"), dir.file("sticky/through")).unwrap();
    fs::hard_link(dir.file("other/keys"), dir.file("app/brought")).unwrap();
    for name in [
        "app/secret",
        "app/made",
        "app/moved",
        "app/dir/secret",
        "app/dir/new",
        "app/far",
        "app/keys",
        "app/proc",
        "app/device",
        "open/secret",
        "sticky/log",
        "root/through/secret",
        "app/hard",
        "open/hard",
        "sticky/hard",
        "sticky/through/secret",
        "app/brought",
    ] {
        let path = dir.file(name);
        for refused in [write_to(&path).err(), existing(&path).err(), for_reading(&path).err()] {
            let refused = refused.unwrap_or_else(|| panic!("{name} was opened"));
            // What is not there yet is not made, and cannot be read.
            assert!(refused.kind() == ErrorKind::PermissionDenied, "{name}: {refused}");
            assert_eq!(
                (refused.raw_os_error(), errno(&refused)),
                (None, Errno::ACCESS.raw_os_error()),
                "{name}"
            );
        }
    }
    file(&dir, "sticky/theirs", APP);
    assert!(write_to(&dir.file("sticky/theirs")).is_err());
    assert!(for_reading(&dir.file("sticky/theirs")).is_ok(), "it is theirs, and no secret");
    let owner = Some((Some(APP), None));
    assert!(for_writing(&dir.file("sticky/theirs"), &OpenHow { owner, ..OpenHow::default() }).is_ok());
    let how = OpenHow { mkdir: true, ..OpenHow::default() };
    assert!(for_writing(&dir.file("app/dir/new/log"), &how).is_err());
    assert_eq!(fs::read_dir(root).unwrap().count(), 2, "nothing was made there");
}

#[test]
fn a_directory_that_is_swapped_meanwhile_is_still_the_one_that_was_looked_at() {
    let dir = machine();
    let place = walk::find_name(&dir.file("app/logs/log")).unwrap();
    fs::rename(dir.file("app/logs"), dir.file("app/away")).unwrap();
    link(&dir, "app/logs", dir.file("root").to_str().unwrap(), APP);
    super::super::rotation::Row::new(&place.dir, &place.name, false).shift(3).unwrap();
    assert!(dir.file("app/away/log.1").exists() && !dir.file("root/log.1").exists());
}

#[test]
fn links_in_a_circle_are_no_way() {
    let dir = Dir::new();
    symlink("b", dir.file("a")).unwrap();
    symlink("a", dir.file("b")).unwrap();
    assert_eq!(write_to(&dir.file("a")).unwrap_err().raw_os_error(), Some(Errno::LOOP.raw_os_error()));
    assert_eq!(write_to(&dir.file("none/log")).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(write_to(dir.path()).unwrap_err().raw_os_error(), Some(Errno::ISDIR.raw_os_error()));
}

#[test]
fn what_is_made_belongs_to_whom_it_should() {
    let dir = machine();
    let facts = |name: &str| {
        let is = fs::symlink_metadata(dir.file(name)).unwrap();
        (is.uid(), is.gid(), is.mode() & 0o7777)
    };
    let how = OpenHow { owner: Some((Some(APP), Some(OTHER))), mode: Some(0o660), mkdir: true };
    for_writing(&dir.file("root/a/b/log"), &how).unwrap();
    assert_eq!(facts("root/a/b/log"), (APP, OTHER, 0o660));
    assert_eq!([facts("root/a"), facts("root/a/b")], [(APP, OTHER, 0o755); 2]);
    // In a user's directory what nobody asked to be anybody's is that user's, who could do nothing with it otherwise.
    let how = OpenHow { mkdir: true, ..OpenHow::default() };
    for_writing(&dir.file("app/x/log"), &how).unwrap();
    assert_eq!((facts("app/x").0, facts("app/x/log").0), (APP, 0));
    // One that was there is given away where only root can have put it there.
    let how = OpenHow { owner: Some((Some(APP), None)), mode: Some(0o604), mkdir: false };
    for_writing(&dir.file("root/secret"), &how).unwrap();
    for_writing(&dir.file("app/old"), &how).unwrap();
    assert_eq!((facts("root/secret").0, facts("root/secret").2), (APP, 0o604));
    assert_eq!((facts("app/old").0, facts("app/old").2), (0, 0o644));
}

#[test]
fn a_fifo_needs_no_reader_and_keeps_what_it_is_told() {
    let dir = Dir::new();
    let path = dir.file("fifo");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut log = write_to(&path).unwrap();
    assert_eq!((log.kind, log.may_rotate, log.is_shared), (Kind::Pipe, false, false));
    log.file.write_all(b"early ").unwrap();
    assert!(!log.is_read().unwrap());
    let mut reader =
        fs::File::options().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(&path).unwrap();
    assert!(log.is_read().unwrap());
    log.file.write_all(b"late").unwrap();
    let mut text = [0; 10];
    reader.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"early late");
    drop(reader);
    assert!(!log.is_read().unwrap());
    while log.file.write(&[b'x'; 4096]).is_ok() {}
    assert_eq!(log.file.write(b"x").unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn what_cannot_be_opened_by_name_is_shared() {
    let (one, mut other) = std::os::unix::net::UnixStream::pair().unwrap();
    rustix::io::fcntl_setfd(&one, rustix::io::FdFlags::empty()).unwrap();
    let mut log = write_to(Path::new(&format!("/dev/fd/{}", one.as_raw_fd()))).unwrap();
    assert!(log.is_shared && !log.may_rotate);
    assert!(!fcntl_getfl(&one).unwrap().contains(OFlags::NONBLOCK), "it is not only ours");
    log.file.write_all(b"words").unwrap();
    let mut text = [0; 5];
    other.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"words");
}

#[test]
fn a_file_behind_a_descriptor_is_written_to_and_never_moved() {
    let dir = Dir::new();
    let file = fs::File::create(dir.file("out")).unwrap();
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let mut log = write_to(Path::new(&path)).unwrap();
    log.file.write_all(b"words").unwrap();
    assert_eq!((log.kind, log.may_rotate, log.is_shared), (Kind::Regular, false, false));
    let mut text = String::new();
    for_reading(Path::new(&path)).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "words");
    assert_eq!(for_reading(Path::new("/dev/null")).unwrap_err().kind(), ErrorKind::NotFound);
}
