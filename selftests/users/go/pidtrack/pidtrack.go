// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

// Package pidtrack is pidtrack.h for Go: what a host needs of it.
//
// A goroutine may be on any thread, so a tracker has a thread of its own, and
// any goroutine may call at any time; but only one Next.  Errors are *Error,
// with the kernel's errno in it: errors.Is(err, fs.ErrNotExist) is told of a
// file that is not there.
package pidtrack

// #cgo pkg-config: pidtrack
// #include <fcntl.h>
// #include <pidtrack.h>
// #include <stdlib.h>
import "C"

import (
	"os"
	"syscall"
	"time"
	"unsafe"
)

// Error is what was refused, and where: a path, a call, or the stage of a
// launch.
type Error struct {
	Place string
	Err   error
}

func (e *Error) Error() string { return e.Place + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

func check(r C.int, place string) error {
	if r < 0 {
		return &Error{place, syscall.Errno(-r)}
	}
	return nil
}

// words are texts in C's memory, since C's structs may not lead into Go's.
type words []unsafe.Pointer

func (w *words) addUnlessEmpty(text string) *C.char {
	if text == "" {
		return nil
	}
	return w.add(text)
}

func (w *words) add(text string) *C.char {
	c := C.CString(text)
	*w = append(*w, unsafe.Pointer(c))
	return c
}

func (w *words) argv(texts []string) **C.char {
	size := C.size_t(unsafe.Sizeof((*C.char)(nil)))
	argv := (**C.char)(C.calloc(C.size_t(len(texts)+1), size))
	*w = append(*w, unsafe.Pointer(argv))
	for i := range texts {
		unsafe.Slice(argv, len(texts))[i] = w.add(texts[i])
	}
	return argv
}

func (w words) free() {
	for _, p := range w {
		C.free(p)
	}
}

// Tracker is a set of processes.
type Tracker struct {
	c    *C.struct_pidtrack
	file *os.File // a copy of its descriptor, for the runtime to wait for
	raw  syscall.RawConn
}

// New makes a tracker, with a directory for pins unless that is "".
func New(pins string) (*Tracker, error) {
	var w words
	defer w.free()
	t := &Tracker{}
	options := C.struct_pidtrack_options{
		size:  C.sizeof_struct_pidtrack_options,
		flags: C.PIDTRACK_THREAD,
		pins:  w.addUnlessEmpty(pins),
	}
	if err := check(C.pidtrack_new(&options, &t.c), "tracker"); err != nil {
		return nil, err
	}
	if err := t.open(); err != nil {
		C.pidtrack_free(t.c)
		return nil, err
	}
	return t, nil
}

func (t *Tracker) open() error {
	fd, _, errno := syscall.Syscall(syscall.SYS_FCNTL,
		uintptr(C.pidtrack_fd(t.c)), C.F_DUPFD_CLOEXEC, 3)
	if errno != 0 {
		return &Error{"tracker", errno}
	}
	t.file = os.NewFile(fd, "tracker")
	raw, err := t.file.SyscallConn()
	t.raw = raw
	return err
}

// Close leaves the processes running.  Nobody may be in Next: see Interrupt.
func (t *Tracker) Close() error {
	C.pidtrack_free(t.c)
	return t.file.Close()
}

// Launch is how to launch: a label and a record of "" are none.
type Launch struct {
	Args           []string
	Label, Record  string
	Detached, Keep bool
}

// Spawn launches a shim.
func (t *Tracker) Spawn(launch Launch) (*Process, error) {
	var w words
	defer w.free()
	options := C.struct_pidtrack_spawn_options{
		size:   C.sizeof_struct_pidtrack_spawn_options,
		argv:   w.argv(launch.Args),
		label:  w.addUnlessEmpty(launch.Label),
		record: w.addUnlessEmpty(launch.Record),
	}
	if launch.Detached {
		options.flags |= C.PIDTRACK_SPAWN_DETACHED
	}
	if launch.Keep {
		options.flags |= C.PIDTRACK_SPAWN_KEEP
	}
	var p *C.struct_pidtrack_process
	var stage C.uint32_t
	r := C.pidtrack_spawn(t.c, &options, &p, &stage)
	if r < 0 {
		return nil, check(r, C.GoString(C.pidtrack_stage_name(stage)))
	}
	return &Process{p}, nil
}

// Process is one that is tracked, until it is freed or its tracker closed.
type Process struct{ c *C.struct_pidtrack_process }

// Pid is its number.
func (p *Process) Pid() int { return int(C.pidtrack_process_pid(p.c)) }

// Step is a signal, and the time it has before the next.
type Step struct {
	Signal syscall.Signal
	Time   time.Duration
}

// Stop sends the first signal; the rest happens in Next.
func (p *Process) Stop(steps ...Step) error {
	var c [16]C.struct_pidtrack_stop_step
	if len(steps) > len(c) {
		return &Error{"stop", syscall.EINVAL}
	}
	for i, step := range steps {
		c[i].signal = C.int32_t(step.Signal)
		c[i].time_ms = C.uint32_t(step.Time.Milliseconds())
	}
	var w words
	defer w.free()
	copied := C.CBytes(unsafe.Slice((*byte)(unsafe.Pointer(&c)), unsafe.Sizeof(c)))
	w = append(w, copied)
	options := C.struct_pidtrack_stop_options{
		size:    C.sizeof_struct_pidtrack_stop_options,
		steps:   (*C.struct_pidtrack_stop_step)(copied),
		n_steps: C.uint32_t(len(steps)),
	}
	return check(C.pidtrack_process_stop(p.c, &options), "stop")
}

// Free ends the tracking, not the process.
func (p *Process) Free() { p.c = C.pidtrack_process_free(p.c) }

// Kinds of events.
const (
	Exited    = C.PIDTRACK_EXITED
	Reaped    = C.PIDTRACK_REAPED
	Escalated = C.PIDTRACK_ESCALATED
)

// Event is what happened to a process.
type Event struct {
	Kind   uint32
	Label  string
	Last   bool // nothing more will be told of it: free it
	Known  bool // whether Status is one
	Status syscall.WaitStatus
	Source string
	Signal syscall.Signal
}

// Next waits for the next event, and acknowledges the one before.  No thread
// waits with it.  After Interrupt it fails with os.ErrDeadlineExceeded.
func (t *Tracker) Next() (Event, error) {
	var event *C.struct_pidtrack_event
	var r C.int
	err := t.raw.Read(func(uintptr) bool {
		r = C.pidtrack_next(t.c, &event)
		return r != 0
	})
	if err == nil {
		err = check(r, "next")
	}
	if err != nil {
		return Event{}, err
	}
	return Event{
		Kind:   uint32(event.kind),
		Label:  C.GoString(C.pidtrack_process_label(event.process)),
		Last:   event.flags&C.PIDTRACK_EVENT_LAST != 0,
		Known:  event.source != C.PIDTRACK_SOURCE_UNKNOWN,
		Status: syscall.WaitStatus(event.status),
		Source: C.GoString(C.pidtrack_source_name(event.source)),
		Signal: syscall.Signal(event.signal),
	}, nil
}

// Interrupt ends a Next that waits, and those to come.
func (t *Tracker) Interrupt() error {
	return t.file.SetReadDeadline(time.Unix(1, 0))
}

// Record is what a file says of a process.
type Record struct{ c *C.struct_pidtrack_record }

// ReadRecord reads it; it is to be freed.
func ReadRecord(path string) (*Record, error) {
	var w words
	defer w.free()
	r := &Record{}
	return r, check(C.pidtrack_record_read(w.add(path), &r.c), path)
}

// Free gives it up.
func (r *Record) Free() { r.c = C.pidtrack_record_free(r.c) }

// Verdict is whether a process is there, and why that is so.
type Verdict struct {
	c      C.uint32_t
	Reason string
}

func verdict(found *C.struct_pidtrack_comparison) Verdict {
	return Verdict{found.verdict, C.GoString(found.reason)}
}

func (v Verdict) String() string {
	return C.GoString(C.pidtrack_verdict_name(v.c))
}

// MayCleanUp is whether nothing of it is there, for certain.
func (v Verdict) MayCleanUp() bool {
	return v.c == C.PIDTRACK_VERDICT_GONE || v.c == C.PIDTRACK_VERDICT_REUSED ||
		v.c == C.PIDTRACK_VERDICT_OTHER_BOOT
}

// Verify looks whether the process of a record is there.
func (r *Record) Verify() (Verdict, error) {
	var found C.struct_pidtrack_comparison
	err := check(C.pidtrack_verify(nil, r.c, &found, C.sizeof_struct_pidtrack_comparison), "verify")
	return verdict(&found), err
}

// Attach tracks the process of a record; nil if it is not there, or not for
// certain.
func (t *Tracker) Attach(r *Record) (*Process, Verdict, error) {
	var p *C.struct_pidtrack_process
	var found C.struct_pidtrack_comparison
	err := check(C.pidtrack_attach_record(t.c, r.c, 0, &p, &found,
		C.sizeof_struct_pidtrack_comparison), "attach")
	if p != nil {
		return &Process{p}, verdict(&found), nil
	}
	if found.verdict != 0 {
		err = nil
	}
	return nil, verdict(&found), err
}

// Recovered is a process that was found again; or nil, and why not.
type Recovered struct {
	Label   string
	Process *Process
	Verdict Verdict
}

// Recover takes up all that is kept.
func (t *Tracker) Recover() ([]Recovered, error) {
	var recovery *C.struct_pidtrack_recovery
	err := check(C.pidtrack_recover(t.c, &recovery), "recover")
	return recovered(recovery), err
}

// Prepare makes a descriptor for Resume, in the program that is executed next.
func (t *Tracker) Prepare() (int, error) {
	var fd C.int
	err := check(C.pidtrack_handoff_prepare(t.c, &fd), "handoff")
	return int(fd), err
}

// Cancel is for when it was not executed.
func (t *Tracker) Cancel() error {
	if err := t.file.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	return check(C.pidtrack_handoff_cancel(t.c), "handoff")
}

// Resume takes up what the program before has handed over.
func (t *Tracker) Resume(fd int) ([]Recovered, error) {
	var recovery *C.struct_pidtrack_recovery
	err := check(C.pidtrack_handoff_resume(t.c, C.int(fd), &recovery), "handoff")
	return recovered(recovery), err
}

func recovered(recovery *C.struct_pidtrack_recovery) []Recovered {
	if recovery == nil {
		return nil
	}
	defer C.pidtrack_recovery_free(recovery)
	var all []Recovered
	var found *C.struct_pidtrack_recovered
	for C.pidtrack_recovery_next(recovery, &found) > 0 {
		it := Recovered{Label: C.GoString(found.label), Verdict: verdict(found.comparison)}
		if it.Label == "" {
			it.Label = C.GoString(found.name)
		}
		if found.process != nil {
			it.Process = &Process{found.process}
		}
		all = append(all, it)
	}
	return all
}
