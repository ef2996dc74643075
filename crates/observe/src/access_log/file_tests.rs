//! Log files on a real file system, written from several threads.

use super::*;
use nuncio_base::time::monotonic;
use nuncio_stats::Store;
use std::path::PathBuf;
use std::time::Duration;

/// A folder that goes with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nuncio-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn manager(min_size: usize, interval_ms: u64) -> (Arc<AccessLogManager>, Store) {
    let store = Store::default();
    let settings = FlushSettings {
        min_size,
        interval: Duration::from_millis(interval_ms),
    };
    (AccessLogManager::new(settings, &store), store)
}

/// Waits for what another thread does.
#[track_caller]
fn eventually(what: impl Fn() -> bool) {
    for _ in 0..1000 {
        if what() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("it did not happen within 5 s");
}

const LONG: u64 = 3_600_000;
const PATIENCE: Duration = Duration::from_secs(5);

#[test]
fn nothing_is_lost_from_many_workers() {
    let folder = Folder::new("many");
    let (manager, store) = manager(1000, LONG);
    let destination = Destination::Path(folder.path("log"));
    let file = manager.file(&destination).unwrap();
    assert!(Arc::ptr_eq(&file, &manager.file(&destination).unwrap()));
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let file = &file;
            scope.spawn(move || {
                let local = file.local_file();
                for line in 0..2_000 {
                    local.append(monotonic(), |out| {
                        out.extend_from_slice(format!("{worker} {line}\n").as_bytes())
                    });
                }
            });
        }
    });
    assert!(manager.shutdown(PATIENCE));
    let text = folder.read("log");
    assert_eq!(text.lines().count(), 8_000);
    for worker in 0..4 {
        // Each worker's lines stay in order and whole.
        let own: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix(&format!("{worker} ")))
            .collect();
        let expected: Vec<_> = (0..2_000).map(|line: u32| line.to_string()).collect();
        assert_eq!(own, expected);
    }
    assert_eq!(
        store.counter_value("filesystem.write_buffered"),
        Some(8_000)
    );
    assert_eq!(
        store.gauge_value("filesystem.write_total_buffered"),
        Some(0)
    );
    assert_eq!(store.counter_value("filesystem.write_failed"), Some(0));
}

#[test]
fn lines_of_several_workers_are_in_the_order_of_their_times() {
    let folder = Folder::new("order");
    let (manager, store) = manager(1000, LONG);
    let file = manager
        .file(&Destination::Path(folder.path("log")))
        .unwrap();
    let workers = [file.local_file(), file.local_file(), file.local_file()];
    let begun = monotonic();
    let append = |worker: usize, millis: u64, line: &str| {
        let now = begun + Duration::from_millis(millis);
        workers[worker].append(now, |out| out.extend_from_slice(line.as_bytes()));
    };
    // The first line of each is written at once.
    for (worker, line) in ["a", "b", "c"].iter().enumerate() {
        append(worker, 0, line);
        eventually(|| folder.read("log").ends_with(line));
    }
    append(2, 1, "1");
    append(2, 3, "3");
    append(2, 3, "4");
    append(0, 2, "2");
    append(1, 3, "x");
    append(0, 5, "5");
    manager.reopen();
    eventually(|| folder.read("log").len() == 9);
    assert_eq!(folder.read("log"), "abc12x345");
    assert_eq!(store.counter_value("filesystem.write_completed"), Some(4));
}

#[test]
fn the_first_line_comes_at_once_and_the_others_by_size_or_time() {
    let folder = Folder::new("when");
    let (manager, _) = manager(100, LONG);
    let local = manager
        .file(&Destination::Path(folder.path("log")))
        .unwrap()
        .local_file();
    local.append(monotonic(), |out| out.extend_from_slice(b"first\n"));
    eventually(|| folder.read("log") == "first\n");
    local.append(monotonic(), |out| out.extend_from_slice(b"second\n"));
    std::thread::sleep(Duration::from_millis(30));
    assert_eq!(folder.read("log"), "first\n");
    local.append(monotonic(), |out| out.extend_from_slice(&[b'x'; 100]));
    eventually(|| folder.read("log").len() == 113);

    let (timed, store) = self::manager(100, 20);
    let local = timed
        .file(&Destination::Path(folder.path("timed")))
        .unwrap()
        .local_file();
    local.append(monotonic(), |out| out.push(b'1'));
    eventually(|| folder.read("timed") == "1");
    local.append(monotonic(), |out| out.push(b'2'));
    eventually(|| folder.read("timed") == "12");
    assert!(store.counter_value("filesystem.flushed_by_timer") > Some(0));
}

#[test]
fn reopening_follows_a_rotation() {
    let folder = Folder::new("reopen");
    let (manager, store) = manager(1, LONG);
    let local = manager
        .file(&Destination::Path(folder.path("log")))
        .unwrap()
        .local_file();
    local.append(monotonic(), |out| out.push(b'a'));
    eventually(|| folder.read("log") == "a");
    std::fs::rename(folder.path("log"), folder.path("old")).unwrap();
    manager.reopen();
    eventually(|| folder.path("log").exists());
    local.append(monotonic(), |out| out.push(b'b'));
    eventually(|| folder.read("log") == "b");
    assert_eq!(folder.read("old"), "a");

    std::fs::remove_dir_all(&folder.0).unwrap();
    manager.reopen();
    eventually(|| store.counter_value("filesystem.reopen_failed") == Some(1));
    local.append(monotonic(), |out| out.push(b'c'));
    eventually(|| store.counter_value("filesystem.write_failed") == Some(1));
    assert!(manager.shutdown(PATIENCE));
}

#[test]
fn a_file_that_cannot_be_opened_is_told_in_envoys_words() {
    let (manager, _) = manager(1, LONG);
    for (path, expected) in [
        (
            "/nonexistent/x.log",
            "unable to open file '/nonexistent/x.log': No such file or directory",
        ),
        ("/", "unable to open file '/': Is a directory"),
    ] {
        let error = manager.file(&Destination::Path(path.into())).err();
        assert_eq!(error.as_deref(), Some(expected));
    }
}

#[test]
fn a_destination_that_blocks_costs_bounded_memory_and_no_time() {
    let folder = Folder::new("slow");
    let fifo = folder.path("fifo");
    let made = std::process::Command::new("mkfifo")
        .arg(&fifo)
        .status()
        .unwrap();
    assert!(made.success());
    // A reader that never reads.
    let reader = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&fifo)
        .unwrap();
    let (manager, store) = manager(64 * 1024, LONG);
    let local = manager.file(&Destination::Path(fifo)).unwrap().local_file();
    let line = [b'x'; 1024];
    for _ in 0..20 * 1024 {
        local.append(monotonic(), |out| out.extend_from_slice(&line));
    }
    let dropped = store.counter_value("filesystem.write_failed").unwrap();
    assert!(dropped > 1024, "{dropped}");
    let held = store
        .gauge_value("filesystem.write_total_buffered")
        .unwrap();
    assert!(held <= 2 * (file::MAX_BUFFERED as u64 + 1024), "{held}");
    // The thread is stuck in a write: a shutdown gives up.
    assert!(!manager.shutdown(Duration::from_millis(50)));
    drop(reader);
}

#[test]
fn a_manager_that_wrote_nothing_ends_at_once() {
    let folder = Folder::new("idle");
    let (manager, _) = manager(1, LONG);
    manager
        .file(&Destination::Path(folder.path("log")))
        .unwrap();
    assert!(manager.shutdown(PATIENCE));
}

#[test]
fn one_worker_has_one_end_of_a_file() {
    let folder = Folder::new("local");
    let (manager, _) = manager(1, LONG);
    let file = manager
        .file(&Destination::Path(folder.path("log")))
        .unwrap();
    nuncio_worker::run_main(|worker| async move {
        let (first, second) = (file.local(&worker), file.local(&worker));
        assert!(Rc::ptr_eq(&first, &second));
    })
    .unwrap();
}
