// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
//! pidtrack.h for Rust: what a host needs of it, without a crate.
//!
//! A tracker and its events are two: any part of a host may launch, and one
//! takes the events, each of which is acknowledged by asking for the next.
//! Those of a `Local` tracker stay in their thread, which is what the library
//! wants; those of a `Shared` one, which has a thread of its own, go anywhere.
//! The compiler sees to it.

use std::ffi::{CStr, CString};
use std::io;
use std::marker::PhantomData;
use std::os::raw::{c_char, c_int, c_short, c_ulong, c_void};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::io::{AsRawFd, RawFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::ptr::{null, null_mut};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, mem, result};

/// What pidtrack.h declares, by hand.
pub mod c {
    use super::*;

    macro_rules! structs {
        ($($c:literal $name:ident { $($field:ident: $type:ty,)* })*) => {
            $(
                #[repr(C)]
                #[derive(Clone, Copy)]
                pub struct $name { $(pub $field: $type,)* }

                impl Default for $name {
                    fn default() -> Self {
                        // SAFETY: of numbers and pointers alone
                        unsafe { mem::zeroed() }
                    }
                }
            )*

            /// All that is said here of C's structs, as C can check it.
            pub fn declared() {
                $(
                    let it = $name::default();
                    let at = &it as *const _ as usize;
                    println!("sizeof(struct {}) == {}", $c, mem::size_of_val(&it));
                    $(println!(
                        "offsetof(struct {}, {}) == {}",
                        $c, stringify!($field), &it.$field as *const _ as usize - at
                    );)*
                )*
            }
        };
    }

    structs! {
        "pidtrack_options" Options {
            size: u32,
            flags: u32,
            pins: *const c_char,
            orphans: u32,
            orphan_time_ms: u32,
            store: *const c_char,
        }
        "pidtrack_spawn_options" SpawnOptions {
            size: u32,
            flags: u32,
            namespaces: u64,
            signal_mask: u64,
            signal_ignore: u64,
            argv: *const *const c_char,
            envp: *const *const c_char,
            program: *const c_char,
            cwd: *const c_char,
            fds: *const c_void,
            rlimits: *const c_void,
            groups: *const u32,
            caps: *const c_char,
            label: *const c_char,
            record: *const c_char,
            payload: *const c_void,
            n_fds: u32,
            n_rlimits: u32,
            n_groups: u32,
            payload_size: u32,
            program_fd: i32,
            cgroup_fd: i32,
            pgid: i32,
            parent_death_signal: i32,
            uid: u32,
            gid: u32,
            umask: u32,
            reserved: u32,
        }
        "pidtrack_stop_step" StopStep {
            signal: i32,
            time_ms: u32,
        }
        "pidtrack_stop_options" StopOptions {
            size: u32,
            flags: u32,
            steps: *const StopStep,
            n_steps: u32,
            cgroup_fd: i32,
        }
        "pidtrack_event" Event {
            kind: u32,
            flags: u32,
            status: i32,
            source: u32,
            process: *mut c_void,
            signal: i32,
            reached: u32,
            pid: i32,
            pidfd: i32,
        }
        "pidtrack_comparison" Comparison {
            verdict: u32,
            evidence: u32,
            reason: *const c_char,
        }
        "pidtrack_recovered" Recovered {
            process: *mut c_void,
            comparison: *const Comparison,
            error: i32,
            reserved: u32,
            name: *const c_char,
            label: *const c_char,
            fingerprint: *const c_char,
            payload: *const c_void,
            payload_size: usize,
        }
    }

    #[repr(C)]
    pub struct PollFd {
        pub fd: c_int,
        pub events: c_short,
        pub revents: c_short,
    }

    type Tracker = *mut c_void;
    type Process = *mut c_void;
    type Record = *mut c_void;
    type Recovery = *mut c_void;

    #[link(name = "pidtrack")]
    extern "C" {
        pub fn pidtrack_new(o: *const Options, ret: *mut Tracker) -> c_int;
        pub fn pidtrack_free(t: Tracker) -> Tracker;
        pub fn pidtrack_fd(t: Tracker) -> c_int;
        pub fn pidtrack_spawn(
            t: Tracker,
            o: *const SpawnOptions,
            ret: *mut Process,
            stage: *mut u32,
        ) -> c_int;
        pub fn pidtrack_next(t: Tracker, ret: *mut *const Event) -> c_int;
        pub fn pidtrack_attach_record(
            t: Tracker,
            r: Record,
            flags: u32,
            ret: *mut Process,
            found: *mut Comparison,
            size: usize,
        ) -> c_int;
        pub fn pidtrack_recover(t: Tracker, ret: *mut Recovery) -> c_int;
        pub fn pidtrack_recovery_next(r: Recovery, ret: *mut *const Recovered) -> c_int;
        pub fn pidtrack_recovery_free(r: Recovery) -> Recovery;
        pub fn pidtrack_handoff_prepare(t: Tracker, ret: *mut c_int) -> c_int;
        pub fn pidtrack_handoff_cancel(t: Tracker) -> c_int;
        pub fn pidtrack_handoff_resume(t: Tracker, fd: c_int, ret: *mut Recovery) -> c_int;
        pub fn pidtrack_process_free(p: Process) -> Process;
        pub fn pidtrack_process_pid(p: Process) -> c_int;
        pub fn pidtrack_process_label(p: Process) -> *const c_char;
        pub fn pidtrack_process_stop(p: Process, o: *const StopOptions) -> c_int;
        pub fn pidtrack_record_read(path: *const c_char, ret: *mut Record) -> c_int;
        pub fn pidtrack_record_free(r: Record) -> Record;
        pub fn pidtrack_verify(t: Tracker, r: Record, ret: *mut Comparison, n: usize) -> c_int;
        pub fn pidtrack_stage_name(stage: u32) -> *const c_char;
        pub fn pidtrack_source_name(source: u32) -> *const c_char;
        pub fn pidtrack_verdict_name(verdict: u32) -> *const c_char;
        pub fn poll(fds: *mut PollFd, n: c_ulong, timeout: c_int) -> c_int;
    }
}

macro_rules! constants {
    ($($name:ident = $value:literal, $c:literal;)*) => {
        $(pub const $name: u32 = $value;)*

        /// All that is said here of pidtrack.h, as C can check it.
        pub fn declared() {
            c::declared();
            $(println!("{} == {}", $c, $name);)*
        }
    };
}

constants! {
    THREAD = 0x1, "PIDTRACK_THREAD";
    DETACHED = 0x1, "PIDTRACK_SPAWN_DETACHED";
    KEEP = 0x2000, "PIDTRACK_SPAWN_KEEP";
    ESCALATED = 5, "PIDTRACK_ESCALATED";
    LAST = 0x1, "PIDTRACK_EVENT_LAST";
    UNKNOWN = 0, "PIDTRACK_SOURCE_UNKNOWN";
    REUSED = 3, "PIDTRACK_VERDICT_REUSED";
    GONE = 4, "PIDTRACK_VERDICT_GONE";
    OTHER_BOOT = 5, "PIDTRACK_VERDICT_OTHER_BOOT";
    ESRCH = 3, "ESRCH";
    ENODATA = 61, "ENODATA";
    ESTALE = 116, "ESTALE";
    POLLIN = 0x1, "POLLIN";
}

/// What was refused, and where: a call, or the stage of a launch.
#[derive(Debug)]
pub struct Error {
    pub place: String,
    pub source: io::Error,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.source)
    }
}

impl std::error::Error for Error {}

pub type Result<T> = result::Result<T, Error>;

fn check(r: c_int, place: &str) -> Result<c_int> {
    if r >= 0 {
        return Ok(r);
    }
    Err(Error {
        place: place.to_string(),
        source: io::Error::from_raw_os_error(-r),
    })
}

/// A copy; None for NULL.
unsafe fn text(c: *const c_char) -> Option<String> {
    (!c.is_null()).then(|| CStr::from_ptr(c).to_string_lossy().into_owned())
}

fn c_text(bytes: &[u8]) -> Result<CString> {
    CString::new(bytes).map_err(|error| Error {
        place: "options".to_string(),
        source: error.into(),
    })
}

fn c_path(path: &Path) -> Result<CString> {
    c_text(path.as_os_str().as_bytes())
}

/// Of the thread that made it.
pub struct Local(PhantomData<*const ()>);
/// Of any thread.
pub struct Shared;

struct Owned<Mode> {
    c: *mut c_void,
    mode: PhantomData<Mode>,
}

// SAFETY: a tracker with PIDTRACK_THREAD may be called by any thread.
unsafe impl Send for Owned<Shared> {}
unsafe impl Sync for Owned<Shared> {}

impl<Mode> Drop for Owned<Mode> {
    fn drop(&mut self) {
        unsafe { c::pidtrack_free(self.c) };
    }
}

/// Launches and attaches.  It is freed after its events and all its processes,
/// which run on.
pub struct Tracker<Mode>(Arc<Owned<Mode>>);

/// One that is tracked until this is dropped; it runs on.
pub struct Process<Mode> {
    c: *mut c_void,
    _tracker: Arc<Owned<Mode>>,
}

// SAFETY: as of its tracker.
unsafe impl Send for Process<Shared> {}
unsafe impl Sync for Process<Shared> {}

/// What happens to the processes; for one thread at a time.
pub struct Events<Mode>(Arc<Owned<Mode>>);

/// An event, copied.
pub struct Event {
    pub kind: u32,
    pub label: String,
    /// Nothing more will be told of it.
    pub last: bool,
    /// None: nobody could tell.
    pub status: Option<ExitStatus>,
    pub source: String,
    pub signal: i32,
}

/// Whether a process is there, and why that is so.
pub struct Verdict {
    verdict: u32,
    pub reason: String,
}

/// One that was found again; or no process, and why.
pub struct Recovered<Mode> {
    pub label: String,
    pub process: Option<Process<Mode>>,
    pub verdict: Verdict,
}

impl Tracker<Local> {
    #[allow(dead_code)] // the host here has threads
    pub fn local(pins: Option<&Path>) -> Result<(Tracker<Local>, Events<Local>)> {
        Tracker::new(pins, 0)
    }
}

impl Tracker<Shared> {
    pub fn shared(pins: Option<&Path>) -> Result<(Tracker<Shared>, Events<Shared>)> {
        Tracker::new(pins, THREAD)
    }
}

impl<Mode> Tracker<Mode> {
    fn new(pins: Option<&Path>, flags: u32) -> Result<(Self, Events<Mode>)> {
        let pins = pins.map(c_path).transpose()?;
        let options = c::Options {
            size: mem::size_of::<c::Options>() as u32,
            flags,
            pins: pins.as_ref().map_or(null(), |pins| pins.as_ptr()),
            ..Default::default()
        };
        let mut c = null_mut();
        check(unsafe { c::pidtrack_new(&options, &mut c) }, "tracker")?;
        let mode = PhantomData;
        let owned = Arc::new(Owned { c, mode });
        Ok((Tracker(owned.clone()), Events(owned)))
    }

    fn process(&self, c: *mut c_void) -> Process<Mode> {
        Process {
            c,
            _tracker: self.0.clone(),
        }
    }

    pub fn spawn(
        &self,
        args: &[&str],
        label: &str,
        record: &Path,
        flags: u32,
    ) -> Result<Process<Mode>> {
        let args = args.iter().map(|arg| c_text(arg.as_bytes()));
        let args = args.collect::<Result<Vec<_>>>()?;
        let argv = args.iter().map(|arg| arg.as_ptr()).chain([null()]);
        let argv = argv.collect::<Vec<_>>();
        let (label, record) = (c_text(label.as_bytes())?, c_path(record)?);
        let options = c::SpawnOptions {
            size: mem::size_of::<c::SpawnOptions>() as u32,
            flags,
            argv: argv.as_ptr(),
            label: label.as_ptr(),
            record: record.as_ptr(),
            ..Default::default()
        };
        let (mut c, mut stage) = (null_mut(), 0);
        let r = unsafe { c::pidtrack_spawn(self.0.c, &options, &mut c, &mut stage) };
        if r < 0 {
            check(r, &unsafe { text(c::pidtrack_stage_name(stage)) }.unwrap())?;
        }
        Ok(self.process(c))
    }

    /// The process of a record, unless it is not there, or not for certain.
    pub fn attach(&self, record: &Record) -> Result<(Option<Process<Mode>>, Verdict)> {
        let (mut c, mut found) = (null_mut(), c::Comparison::default());
        let size = mem::size_of_val(&found);
        let r =
            unsafe { c::pidtrack_attach_record(self.0.c, record.0, 0, &mut c, &mut found, size) };
        let verdict = Verdict::of(&found);
        if [ESRCH, ESTALE, ENODATA].contains(&r.unsigned_abs()) {
            return Ok((None, verdict));
        }
        check(r, "attach")?;
        Ok((Some(self.process(c)), verdict))
    }

    /// All that is kept.
    pub fn recover(&self) -> Result<Vec<Recovered<Mode>>> {
        let mut recovery = null_mut();
        let r = unsafe { c::pidtrack_recover(self.0.c, &mut recovery) };
        check(r, "recover")?;
        Ok(self.recovered(recovery))
    }

    /// A descriptor for resume(), in the program that is executed next.
    pub fn prepare(&self) -> Result<RawFd> {
        let mut fd = -1;
        let r = unsafe { c::pidtrack_handoff_prepare(self.0.c, &mut fd) };
        check(r, "handoff")?;
        Ok(fd)
    }

    pub fn cancel(&self) -> Result<()> {
        let r = unsafe { c::pidtrack_handoff_cancel(self.0.c) };
        check(r, "handoff").map(|_| ())
    }

    /// What the program before has handed over.
    pub fn resume(&self, fd: RawFd) -> Result<Vec<Recovered<Mode>>> {
        let mut recovery = null_mut();
        let r = unsafe { c::pidtrack_handoff_resume(self.0.c, fd, &mut recovery) };
        check(r, "handoff")?;
        Ok(self.recovered(recovery))
    }

    fn recovered(&self, recovery: *mut c_void) -> Vec<Recovered<Mode>> {
        let (mut all, mut found) = (Vec::new(), null());
        unsafe {
            while c::pidtrack_recovery_next(recovery, &mut found) > 0 {
                let it = &*found;
                all.push(Recovered {
                    label: text(it.label).or(text(it.name)).unwrap_or_default(),
                    process: (!it.process.is_null()).then(|| self.process(it.process)),
                    verdict: Verdict::of(&*it.comparison),
                });
            }
            c::pidtrack_recovery_free(recovery);
        }
        all
    }
}

impl<Mode> Process<Mode> {
    pub fn pid(&self) -> i32 {
        unsafe { c::pidtrack_process_pid(self.c) }
    }

    /// Sends the first signal; the rest happens as events are taken.
    pub fn stop(&self, steps: &[(i32, Duration)]) -> Result<()> {
        let steps = steps.iter().map(|&(signal, time)| c::StopStep {
            signal,
            time_ms: time.as_millis() as u32,
        });
        let steps = steps.collect::<Vec<_>>();
        let options = c::StopOptions {
            size: mem::size_of::<c::StopOptions>() as u32,
            steps: steps.as_ptr(),
            n_steps: steps.len() as u32,
            ..Default::default()
        };
        let r = unsafe { c::pidtrack_process_stop(self.c, &options) };
        check(r, "stop").map(|_| ())
    }
}

impl<Mode> Drop for Process<Mode> {
    fn drop(&mut self) {
        unsafe { c::pidtrack_process_free(self.c) };
    }
}

impl<Mode> AsRawFd for Events<Mode> {
    /// To poll, alone or with others: readable when there are events.
    fn as_raw_fd(&self) -> RawFd {
        unsafe { c::pidtrack_fd(self.0.c) }
    }
}

impl<Mode> Events<Mode> {
    /// The next, if there is one; acknowledges the one before.
    pub fn next(&mut self) -> Result<Option<Event>> {
        let mut event = null();
        let r = unsafe { c::pidtrack_next(self.0.c, &mut event) };
        if check(r, "next")? == 0 {
            return Ok(None);
        }
        // SAFETY: lent until the next call, which wants &mut self, too
        let event = unsafe { &*event };
        Ok(Some(Event {
            kind: event.kind,
            label: unsafe { text(c::pidtrack_process_label(event.process)) }.unwrap_or_default(),
            last: event.flags & LAST != 0,
            status: (event.source != UNKNOWN).then(|| ExitStatus::from_raw(event.status)),
            source: unsafe { text(c::pidtrack_source_name(event.source)) }.unwrap(),
            signal: event.signal,
        }))
    }

    /// Waits for the next; None when `end` is readable, or closed.
    pub fn wait(&mut self, end: &impl AsRawFd) -> Result<Option<Event>> {
        loop {
            if let Some(event) = self.next()? {
                return Ok(Some(event));
            }
            let mut fds = [self.as_raw_fd(), end.as_raw_fd()].map(|fd| c::PollFd {
                fd,
                events: POLLIN as c_short,
                revents: 0,
            });
            unsafe { c::poll(fds.as_mut_ptr(), 2, -1) };
            if fds[1].revents != 0 {
                return Ok(None);
            }
        }
    }
}

/// What a file says of a process.
pub struct Record(*mut c_void);

// SAFETY: unchanged as long as it lives, and any thread may read it.
unsafe impl Send for Record {}
unsafe impl Sync for Record {}

impl Record {
    pub fn read(path: &Path) -> Result<Record> {
        let (c_path, mut c) = (c_path(path)?, null_mut());
        let r = unsafe { c::pidtrack_record_read(c_path.as_ptr(), &mut c) };
        check(r, &path.to_string_lossy())?;
        Ok(Record(c))
    }

    pub fn verify(&self) -> Result<Verdict> {
        let mut found = c::Comparison::default();
        let size = mem::size_of_val(&found);
        let r = unsafe { c::pidtrack_verify(null_mut(), self.0, &mut found, size) };
        check(r, "verify")?;
        Ok(Verdict::of(&found))
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        unsafe { c::pidtrack_record_free(self.0) };
    }
}

impl Verdict {
    fn of(found: &c::Comparison) -> Verdict {
        Verdict {
            verdict: found.verdict,
            reason: unsafe { text(found.reason) }.unwrap_or_default(),
        }
    }

    /// Whether nothing of it is there, for certain.
    pub fn may_clean_up(&self) -> bool {
        [GONE, REUSED, OTHER_BOOT].contains(&self.verdict)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let name = unsafe { text(c::pidtrack_verdict_name(self.verdict)) };
        f.write_str(&name.unwrap())
    }
}

// Shared ones may go to other threads.
const _: fn() = || {
    fn sent<T: Send>() {}
    fn shared<T: Send + Sync>() {}
    shared::<Tracker<Shared>>();
    shared::<Process<Shared>>();
    sent::<Events<Shared>>();
};

// Local ones may not: of one that is Send, some() would be of two traits.
const _: fn() = || {
    trait Stays<Which> {
        fn some() {}
    }
    impl<T> Stays<()> for T {}
    impl<T: Send> Stays<u8> for T {}
    let _ = <Tracker<Local> as Stays<_>>::some;
    let _ = <Process<Local> as Stays<_>>::some;
    let _ = <Events<Local> as Stays<_>>::some;
};
