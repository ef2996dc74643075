//! Tells of files that something is renamed to, by inotify. A directory is what is watched: the
//! file itself is another one after each rename, and may not be there yet.

use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_worker::Worker;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use tokio::io::unix::AsyncFd;

/// Events of one read; more stay with the system.
const READ: usize = 4096;

type Callback = Rc<dyn Fn()>;

/// Who wants to know of which file.
struct Watcher {
    number: u64,
    /// The name within the directory; none for all.
    file: Option<PathBuf>,
    callback: Callback,
}

impl Watcher {
    fn due(&self) -> (u64, Callback) {
        (self.number, Rc::clone(&self.callback))
    }
}

/// All watches of the process; a service of main.
pub struct FileWatcher {
    inotify: AsyncFd<OwnedFd>,
    last: Cell<u64>,
    directories: RefCell<HashMap<i32, Vec<Watcher>>>,
}

/// A watch, until it is dropped.
pub struct FileWatch {
    owner: Weak<FileWatcher>,
    directory: i32,
    number: u64,
}

impl FileWatcher {
    /// The watcher of main, made on first use.
    ///
    /// # Errors
    /// When the system has no more of them.
    pub fn of(main: &Rc<Worker>) -> io::Result<Rc<Self>> {
        if let Some(known) = main.services().get::<Self>() {
            return Ok(known);
        }
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        #[allow(
            deprecated,
            reason = "its unsafe successor asks that nobody else closes the descriptor: it is owned"
        )]
        let inotify = AsyncFd::new(inotify)?;
        let watcher = Rc::new(Self {
            inotify,
            last: Cell::new(0),
            directories: RefCell::default(),
        });
        main.services().add(Rc::clone(&watcher));
        let own = Rc::clone(&watcher);
        main.spawn(async move { own.run().await });
        Ok(watcher)
    }

    /// Calls `callback` whenever something is renamed to `file`.
    ///
    /// # Errors
    /// When its directory can't be watched, in Envoy's words.
    pub fn watch_file(
        self: &Rc<Self>,
        file: &Path,
        callback: impl Fn() + 'static,
    ) -> Result<FileWatch, String> {
        let directory = match file.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => return Err(format!("invalid file path {}", file.display())),
        };
        let name = file.file_name().map(PathBuf::from);
        self.watch(file, directory, name, Rc::new(callback))
    }

    /// Calls `callback` whenever something is renamed to a name within `directory`.
    ///
    /// # Errors
    /// As [`watch_file`](Self::watch_file).
    pub fn watch_directory(
        self: &Rc<Self>,
        directory: &Path,
        callback: impl Fn() + 'static,
    ) -> Result<FileWatch, String> {
        let shown = directory.join("");
        self.watch(&shown, directory, None, Rc::new(callback))
    }

    fn watch(
        self: &Rc<Self>,
        shown: &Path,
        directory: &Path,
        file: Option<PathBuf>,
        callback: Callback,
    ) -> Result<FileWatch, String> {
        let flags = WatchFlags::MOVED_TO;
        let directory =
            inotify::add_watch(self.inotify.get_ref(), directory, flags).map_err(|error| {
                let shown = shown.display();
                let error = io::Error::from(error);
                format!("unable to add filesystem watch for file {shown}: {error}")
            })?;
        let number = self.last.get() + 1;
        self.last.set(number);
        let watcher = Watcher {
            number,
            file,
            callback,
        };
        let mut directories = self.directories.borrow_mut();
        directories.entry(directory).or_default().push(watcher);
        Ok(FileWatch {
            owner: Rc::downgrade(self),
            directory,
            number,
        })
    }

    async fn run(&self) {
        loop {
            let Ok(mut guard) = self.inotify.readable().await else {
                return;
            };
            let due = self.read();
            guard.clear_ready();
            drop(guard);
            for callback in due {
                callback();
            }
        }
    }

    /// Whom the events that there are concern, each once.
    fn read(&self) -> Vec<Callback> {
        let mut due = BTreeMap::new();
        let mut memory = [MaybeUninit::uninit(); READ];
        let mut reader = Reader::new(self.inotify.get_ref(), &mut memory);
        loop {
            match reader.next() {
                Ok(event) if event.events().contains(ReadFlags::QUEUE_OVERFLOW) => {
                    // Whatever it was that was lost.
                    let directories = self.directories.borrow();
                    let all = directories.values().flatten();
                    due.extend(all.map(Watcher::due));
                }
                Ok(event) => {
                    let name = event.file_name().map(|name| name.to_bytes());
                    self.concerned(event.wd(), name.unwrap_or_default(), &mut due);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return due.into_values().collect(),
                Err(error) => {
                    let error = io::Error::from(error);
                    log!(logger::FILE, Level::Error, "inotify: {error}");
                    return due.into_values().collect();
                }
            }
        }
    }

    fn concerned(&self, directory: i32, name: &[u8], due: &mut BTreeMap<u64, Callback>) {
        let directories = self.directories.borrow();
        for watcher in directories.get(&directory).into_iter().flatten() {
            let wanted = watcher.file.as_ref();
            if wanted.is_none_or(|file| file.as_os_str() == OsStr::from_bytes(name)) {
                due.extend([watcher.due()]);
            }
        }
    }
}

impl Drop for FileWatch {
    fn drop(&mut self) {
        let Some(owner) = self.owner.upgrade() else {
            return;
        };
        let mut directories = owner.directories.borrow_mut();
        let Some(watchers) = directories.get_mut(&self.directory) else {
            return;
        };
        watchers.retain(|watcher| watcher.number != self.number);
        if watchers.is_empty() {
            directories.remove(&self.directory);
            // It fails where the directory itself is gone, and the watch with it.
            let _ = inotify::remove_watch(owner.inotify.get_ref(), self.directory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nuncio_worker::run_main;
    use std::time::Duration;

    #[test]
    fn many_events_are_told_once() {
        let folder = std::env::temp_dir().join(format!("nuncio-watch-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let watched = folder.clone();
        let (all, one) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        run_main(move |worker| async move {
            let counts = |count: &Rc<Cell<u32>>| {
                let count = Rc::clone(count);
                move || count.set(count.get() + 1)
            };
            let watcher = FileWatcher::of(&worker).unwrap();
            let _all = watcher.watch_directory(&watched, counts(&all)).unwrap();
            let file = watched.join("7");
            let _one = watcher.watch_file(&file, counts(&one)).unwrap();
            for turn in 1..=2 {
                for name in 0..50 {
                    let new = watched.join("new");
                    std::fs::write(&new, "").unwrap();
                    std::fs::rename(&new, watched.join(name.to_string())).unwrap();
                }
                while one.get() < turn {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                assert_eq!((all.get(), one.get()), (turn, turn));
            }
        })
        .unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
