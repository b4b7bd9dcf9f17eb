// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

// A host in Go: see ../cpp/host.cc for what it does.  One goroutine takes
// events, another commands, and each launch is made on a thread that ends right
// after it.
//
//	host RECORDS [PINS]
package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"host/pidtrack"
)

const handed = "HOST_HANDED" // to the next program: a number

var errNobody = errors.New("nobody")

type host struct {
	tracker       *pidtrack.Tracker
	records, pins string
	mutex         sync.Mutex // of what follows, and for one line at a time
	shims         map[string]*pidtrack.Process
}

func (h *host) record(label string) string {
	return filepath.Join(h.records, label+".record")
}

func ending(event pidtrack.Event) string {
	switch {
	case !event.Known:
		return event.Source
	case event.Status.Signaled():
		return fmt.Sprintf("signal %d %s", event.Status.Signal(), event.Source)
	}
	return fmt.Sprintf("code %d %s", event.Status.ExitStatus(), event.Source)
}

// ---- after a life before ----

func (h *host) takeUp() error {
	var found []pidtrack.Recovered
	var err error
	if text, is := os.LookupEnv(handed); is {
		os.Unsetenv(handed)
		fd, _ := strconv.Atoi(text)
		found, err = h.tracker.Resume(fd)
	} else if h.pins != "" {
		found, err = h.tracker.Recover()
	}
	if err != nil {
		return err
	}
	for _, it := range found {
		fmt.Println(it.Label, "is", it.Verdict)
		if it.Process != nil {
			h.shims[it.Label] = it.Process
		}
	}
	paths, err := filepath.Glob(h.record("*"))
	for _, path := range paths {
		label := strings.TrimSuffix(filepath.Base(path), ".record")
		if h.shims[label] != nil {
			continue
		}
		if err := h.takeUpRecord(label, path); err != nil {
			fmt.Printf("%s: %v\n", label, err) // nobody's to remove
		}
	}
	fmt.Println("ready")
	return err
}

func (h *host) takeUpRecord(label, path string) error {
	record, err := pidtrack.ReadRecord(path)
	if err != nil {
		return err
	}
	defer record.Free()
	shim, verdict, err := h.tracker.Attach(record)
	if err != nil {
		return err
	}
	fmt.Println(label, "is", verdict)
	if shim != nil {
		h.shims[label] = shim
	} else if verdict.MayCleanUp() {
		return os.Remove(path)
	}
	return nil
}

// ---- commands ----

func (h *host) launch(label string, args []string) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and ends with it
		h.mutex.Lock()
		defer h.mutex.Unlock()
		shim, err := h.tracker.Spawn(pidtrack.Launch{
			Args: args, Label: label, Record: h.record(label),
			Detached: true, Keep: h.pins != "",
		})
		if err == nil {
			h.shims[label] = shim
			fmt.Println(label, "launched", shim.Pid())
		}
		done <- err
	}()
	return <-done
}

func (h *host) verify(label string) error {
	record, err := pidtrack.ReadRecord(h.record(label))
	if err != nil {
		return err
	}
	defer record.Free()
	verdict, err := record.Verify()
	if err == nil {
		fmt.Printf("%s %v: %s\n", label, verdict, verdict.Reason)
	}
	return err
}

func (h *host) stop(label string, ms string) error {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	shim := h.shims[label]
	if shim == nil {
		return errNobody
	}
	first, err := time.ParseDuration(ms + "ms")
	if err != nil {
		return err
	}
	return shim.Stop(pidtrack.Step{Signal: syscall.SIGTERM, Time: first},
		pidtrack.Step{Signal: syscall.SIGKILL, Time: 2 * time.Second})
}

func (h *host) wait(label string) error {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	shim := h.shims[label]
	if shim == nil {
		return errNobody
	}
	fmt.Println(label, "awaited")
	_, err := syscall.Wait4(shim.Pid(), nil, 0, nil)
	if err == nil {
		fmt.Println(label, "waited for")
	}
	return err
}

func (h *host) again() error {
	fd, err := h.tracker.Prepare()
	if err != nil {
		return err
	}
	os.Setenv(handed, strconv.Itoa(fd))
	err = syscall.Exec("/proc/self/exe", os.Args, os.Environ())
	os.Unsetenv(handed)
	if failed := h.tracker.Cancel(); failed != nil {
		return failed
	}
	return err
}

func (h *host) obey(words []string) error {
	label, rest := words[1], words[2:]
	switch words[0] {
	case "launch":
		return h.launch(label, rest)
	case "verify":
		return h.verify(label)
	case "stop":
		return h.stop(label, rest[0])
	case "wait":
		return h.wait(label)
	}
	return nil
}

// ---- what happens ----

func (h *host) tellEvents() error {
	for {
		event, err := h.tracker.Next()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
		h.tell(event)
	}
}

func (h *host) tell(event pidtrack.Event) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if event.Kind == pidtrack.Escalated {
		fmt.Println(event.Label, "escalated", int(event.Signal))
	}
	if event.Last {
		fmt.Println(event.Label, "ended", ending(event))
		os.Remove(h.record(event.Label))
		h.shims[event.Label].Free()
		delete(h.shims, event.Label)
	}
}

// Until input ends, or it is to go on as another program.
func (h *host) serve(input *bufio.Scanner) (again bool, err error) {
	events := make(chan error)
	go func() { events <- h.tellEvents() }()
	for !again && input.Scan() {
		words := strings.Fields(input.Text())
		if again = len(words) == 1 && words[0] == "again"; again {
			break
		}
		if len(words) < 2 {
			continue
		}
		if err := h.obey(words); err != nil {
			fmt.Printf("%s: %v\n", words[1], err)
		}
	}
	if err := h.tracker.Interrupt(); err != nil {
		return again, err
	}
	return again, <-events
}

func run(records, pins string) error {
	tracker, err := pidtrack.New(pins)
	if err != nil {
		return err
	}
	defer tracker.Close()
	h := &host{tracker: tracker, records: records, pins: pins,
		shims: map[string]*pidtrack.Process{}}
	if err := h.takeUp(); err != nil {
		return err
	}
	input := bufio.NewScanner(os.Stdin)
	for {
		again, err := h.serve(input)
		if err != nil || !again {
			return err
		}
		if err := h.again(); err != nil {
			fmt.Println("again:", err)
		}
	}
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: host RECORDS [PINS]")
		os.Exit(2)
	}
	pins := ""
	if len(os.Args) > 2 {
		pins = os.Args[2]
	}
	if err := run(os.Args[1], pins); err != nil {
		fmt.Fprintln(os.Stderr, "host:", err)
		os.Exit(4)
	}
}
