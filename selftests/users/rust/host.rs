// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
//! A host in Rust: see ../cpp/host.cc for what it does.  One thread takes
//! events, another commands, and each launch has a thread of its own, which
//! ends right after it.
//!
//!     host RECORDS [PINS]
//!     host --declared         what is said of pidtrack.h, for C to check

mod pidtrack;

use pidtrack::{Event, Events, Process, Record, Recovered, Shared, Tracker};
use std::collections::HashMap;
use std::error::Error;
use std::io::BufRead;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{exit, Command};
use std::sync::Mutex;
use std::time::Duration;
use std::{env, fs, io, thread};

const HANDED: &str = "HOST_HANDED"; // to the next program: a number
const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

extern "C" {
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
}

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

struct Host {
    tracker: Tracker<Shared>,
    records: PathBuf,
    pins: Option<PathBuf>,
    /// Also for one line at a time.
    shims: Mutex<HashMap<String, Process<Shared>>>,
}

fn ending(event: &Event) -> String {
    let source = &event.source;
    match event.status.map(|status| (status.code(), status.signal())) {
        Some((Some(code), _)) => format!("code {code} {source}"),
        Some((_, Some(signal))) => format!("signal {signal} {source}"),
        _ => source.clone(),
    }
}

// ---- after a life before ----

impl Host {
    fn record(&self, label: &str) -> PathBuf {
        self.records.join(format!("{label}.record"))
    }

    fn handed_or_kept(&self) -> Outcome<Vec<Recovered<Shared>>> {
        if let Ok(fd) = env::var(HANDED) {
            env::remove_var(HANDED);
            return Ok(self.tracker.resume(fd.parse()?)?);
        }
        Ok(match self.pins {
            Some(_) => self.tracker.recover()?,
            None => Vec::new(),
        })
    }

    fn take_up(&self) -> Outcome {
        for found in self.handed_or_kept()? {
            println!("{} is {}", found.label, found.verdict);
            if let Some(shim) = found.process {
                self.shims.lock().unwrap().insert(found.label, shim);
            }
        }
        for file in fs::read_dir(&self.records)? {
            let path = file?.path();
            let label = path.file_stem().unwrap().to_string_lossy();
            if path.extension() != Some("record".as_ref())
                || self.shims.lock().unwrap().contains_key(&*label)
            {
                continue;
            }
            if let Err(error) = self.take_up_record(&label, &path) {
                println!("{label}: {error}"); // nobody's to remove
            }
        }
        println!("ready");
        Ok(())
    }

    fn take_up_record(&self, label: &str, path: &Path) -> Outcome {
        let (shim, verdict) = self.tracker.attach(&Record::read(path)?)?;
        println!("{label} is {verdict}");
        if let Some(shim) = shim {
            self.shims.lock().unwrap().insert(label.to_string(), shim);
        } else if verdict.may_clean_up() {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

// ---- commands ----

impl Host {
    fn launch(&self, label: &str, args: &[&str]) -> Outcome {
        let mut flags = pidtrack::DETACHED;
        if self.pins.is_some() {
            flags |= pidtrack::KEEP;
        }
        let record = self.record(label);
        let mut shims = self.shims.lock().unwrap();
        let spawn = || self.tracker.spawn(args, label, &record, flags);
        let shim = thread::scope(|scope| scope.spawn(spawn).join().unwrap())?;
        println!("{label} launched {}", shim.pid());
        shims.insert(label.to_string(), shim);
        Ok(())
    }

    fn verify(&self, label: &str) -> Outcome {
        let verdict = Record::read(&self.record(label))?.verify()?;
        println!("{label} {verdict}: {}", verdict.reason);
        Ok(())
    }

    fn stop(&self, label: &str, ms: u64) -> Outcome {
        let shims = self.shims.lock().unwrap();
        shims.get(label).ok_or("nobody")?.stop(&[
            (SIGTERM, Duration::from_millis(ms)),
            (SIGKILL, Duration::from_secs(2)),
        ])?;
        Ok(())
    }

    fn wait(&self, label: &str) -> Outcome {
        let shims = self.shims.lock().unwrap();
        let pid = shims.get(label).ok_or("nobody")?.pid();
        println!("{label} awaited");
        if unsafe { waitpid(pid, std::ptr::null_mut(), 0) } != pid {
            return Err(io::Error::last_os_error().into());
        }
        println!("{label} waited for");
        Ok(())
    }

    fn again(&self) -> Outcome {
        let fd = self.tracker.prepare()?;
        let mut next = Command::new("/proc/self/exe");
        let error = next
            .args(env::args_os().skip(1))
            .env(HANDED, fd.to_string())
            .exec();
        self.tracker.cancel()?;
        Err(error.into())
    }

    fn obey(&self, words: &[&str]) -> Outcome {
        match words {
            ["launch", label, args @ ..] => self.launch(label, args),
            ["verify", label] => self.verify(label),
            ["stop", label, ms] => self.stop(label, ms.parse()?),
            ["wait", label] => self.wait(label),
            _ => Err("what?".into()),
        }
    }
}

// ---- what happens ----

impl Host {
    fn tell_events(&self, events: &mut Events<Shared>, end: &UnixStream) -> pidtrack::Result<()> {
        while let Some(event) = events.wait(end)? {
            let mut shims = self.shims.lock().unwrap();
            let label = &event.label;
            if event.kind == pidtrack::ESCALATED {
                println!("{label} escalated {}", event.signal);
            }
            if event.last {
                println!("{label} ended {}", ending(&event));
                let _ = fs::remove_file(self.record(label));
                shims.remove(label);
            }
        }
        Ok(())
    }

    /// Until input ends: false; or it is to go on as another program.
    fn serve(&self, events: &mut Events<Shared>) -> Outcome<bool> {
        let (end, ends) = UnixStream::pair()?;
        thread::scope(|scope| {
            let teller = scope.spawn(move || self.tell_events(events, &ends));
            let again = self.obey_all();
            drop(end);
            teller.join().unwrap()?;
            again
        })
    }

    fn obey_all(&self) -> Outcome<bool> {
        for line in io::stdin().lock().lines() {
            let line = line?;
            let words: Vec<_> = line.split_whitespace().collect();
            if words == ["again"] {
                return Ok(true);
            }
            if let Err(error) = self.obey(&words) {
                println!("{}: {error}", words.get(1).unwrap_or(&"host"));
            }
        }
        Ok(false)
    }
}

fn run(records: &Path, pins: Option<PathBuf>) -> Outcome {
    let (tracker, mut events) = Tracker::shared(pins.as_deref())?;
    let host = Host {
        tracker,
        records: records.to_path_buf(),
        pins,
        shims: Mutex::default(),
    };
    host.take_up()?;
    while host.serve(&mut events)? {
        if let Err(error) = host.again() {
            println!("again: {error}");
        }
    }
    Ok(())
}

fn main() {
    let arguments: Vec<_> = env::args_os().skip(1).map(PathBuf::from).collect();
    if arguments.is_empty() {
        eprintln!("usage: host RECORDS [PINS]");
        exit(2);
    }
    if arguments[0].as_os_str() == "--declared" {
        return pidtrack::declared();
    }
    if let Err(error) = run(&arguments[0], arguments.get(1).cloned()) {
        eprintln!("host: {error}");
        exit(4);
    }
}
