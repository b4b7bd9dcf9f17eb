/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A host in C++17, in one thread: poll(2) for what it is told to and for its
 * shims alike.
 *
 *	host RECORDS [PINS]
 *
 * has a record of each shim in RECORDS, and where it is given PINS, keeps them
 * there.  It says who was found again, and "ready"; then it does what standard
 * input says, a line each, and leaves its shims running when that ends:
 *
 *	launch LABEL PROGRAM [ARGUMENT...]
 *	verify LABEL	is it there, by its record?
 *	stop LABEL MS	SIGTERM, MS milliseconds later SIGKILL
 *	wait LABEL	waits for it, behind the tracker's back
 *	again		executes itself, and hands its shims over
 */
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <poll.h>
#include <signal.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "pidtrack.hh"

namespace fs = std::filesystem;

static const char handed[] = "HOST_HANDED"; /* to the next program: a number */

static std::string ending(const pidtrack_event &event)
{
	std::string source = pidtrack_source_name(event.source);

	if (event.source == PIDTRACK_SOURCE_UNKNOWN)
		return source;
	if (WIFSIGNALED(event.status))
		return "signal " + std::to_string(WTERMSIG(event.status)) +
		       " " + source;
	return "code " + std::to_string(WEXITSTATUS(event.status)) + " " +
	       source;
}

static bool may_clean_up(uint32_t verdict)
{
	return verdict == PIDTRACK_VERDICT_GONE ||
	       verdict == PIDTRACK_VERDICT_REUSED ||
	       verdict == PIDTRACK_VERDICT_OTHER_BOOT;
}

class host
{
      public:
	host(fs::path records, const char *pins, char **argv)
	    : records_(std::move(records)), pins_(pins), argv_(argv),
	      tracker_(where(pins))
	{
	}

	void take_up();
	void run();

      private:
	static pidtrack_options where(const char *pins)
	{
		auto options = pt::options<pidtrack_options>();

		options.pins = pins;
		return options;
	}

	fs::path record(const std::string &label) const
	{
		return records_ / (label + ".record");
	}

	void take_up_record(const fs::path &path);
	bool read_commands();
	void obey(std::istringstream words);
	void launch(const std::string &label, std::istringstream &words);
	void stop(const std::string &label, uint32_t ms);
	void wait(const std::string &label);
	void again();
	void tell_events();

	fs::path records_;
	const char *pins_;
	char **argv_;
	pt::tracker tracker_;
	std::map<std::string, pt::process> shims_;
	std::string input_;
};

/* ---- after a life before ---- */

void host::take_up()
{
	auto each = [this](const pidtrack_recovered &found,
			   std::optional<pt::process> shim) {
		const char *label = found.label ? found.label : found.name;

		std::cout << label << " is "
			  << pidtrack_verdict_name(found.comparison->verdict)
			  << std::endl;
		if (shim)
			shims_.emplace(label, std::move(*shim));
	};

	if (const char *fd = getenv(handed)) {
		tracker_.resume(std::stoi(fd), each);
		unsetenv(handed);
	} else if (pins_) {
		tracker_.recover(each);
	}
	for (const auto &file : fs::directory_iterator(records_))
		if (file.path().extension() == ".record" &&
		    !shims_.count(file.path().stem()))
			take_up_record(file.path());
	std::cout << "ready" << std::endl;
}

/* A record that cannot be read is nobody's to remove. */
void host::take_up_record(const fs::path &path)
try {
	pidtrack_comparison found = {};
	auto shim = tracker_.attach(pt::record(path.c_str()), found);

	std::cout << path.stem().string() << " is "
		  << pidtrack_verdict_name(found.verdict) << std::endl;
	if (shim)
		shims_.emplace(path.stem(), std::move(*shim));
	else if (may_clean_up(found.verdict))
		fs::remove(path);
} catch (const pt::error &error) {
	std::cout << path.stem().string() << ": " << error.what() << std::endl;
}

/* ---- commands ---- */

void host::launch(const std::string &label, std::istringstream &words)
{
	auto options = pt::options<pidtrack_spawn_options>();
	std::string path = record(label);
	std::vector<std::string> arguments;
	std::vector<const char *> argv;

	for (std::string word; words >> word;)
		arguments.push_back(word);
	for (const auto &argument : arguments)
		argv.push_back(argument.c_str());
	argv.push_back(nullptr);
	options.argv = argv.data();
	options.label = label.c_str();
	options.record = path.c_str();
	options.flags = PIDTRACK_SPAWN_DETACHED;
	if (pins_)
		options.flags |= PIDTRACK_SPAWN_KEEP;

	auto shim = tracker_.spawn(options);

	std::cout << label << " launched " << shim.pid() << std::endl;
	shims_.emplace(label, std::move(shim));
}

void host::stop(const std::string &label, uint32_t ms)
{
	const pidtrack_stop_step steps[] = { { SIGTERM, ms },
					     { SIGKILL, 2000 } };
	auto options = pt::options<pidtrack_stop_options>();

	options.steps = steps;
	options.n_steps = 2;
	shims_.at(label).stop(options);
}

void host::wait(const std::string &label)
{
	const auto pid = shims_.at(label).pid();

	std::cout << label << " awaited" << std::endl;
	waitpid(pid, nullptr, 0);
	std::cout << label << " waited for" << std::endl;
}

void host::again()
{
	setenv(handed, std::to_string(tracker_.prepare()).c_str(), 1);
	execv("/proc/self/exe", argv_);

	int error = errno;

	tracker_.cancel();
	unsetenv(handed);
	throw pt::error(-error, "again");
}

void host::obey(std::istringstream words)
{
	std::string command, label;

	words >> command >> label;
	try {
		if (command == "launch") {
			launch(label, words);
		} else if (command == "verify") {
			auto found = pt::record(record(label).c_str()).verify();

			std::cout << label << " "
				  << pidtrack_verdict_name(found.verdict)
				  << ": " << found.reason << std::endl;
		} else if (command == "stop") {
			uint32_t ms = 0;

			words >> ms;
			stop(label, ms);
		} else if (command == "wait") {
			wait(label);
		} else if (command == "again") {
			again();
		}
	} catch (const std::out_of_range &) {
		std::cout << label << ": nobody" << std::endl;
	} catch (const pt::error &error) {
		std::cout << label << ": " << error.what() << std::endl;
	}
}

/* ---- what happens ---- */

void host::tell_events()
{
	while (const auto *event = tracker_.next()) {
		std::string label = pidtrack_process_label(event->process);

		if (event->kind == PIDTRACK_ESCALATED)
			std::cout << label << " escalated " << event->signal
				  << std::endl;
		if (!(event->flags & PIDTRACK_EVENT_LAST))
			continue;
		std::cout << label << " ended " << ending(*event) << std::endl;
		fs::remove(record(label));
		shims_.erase(label);
	}
}

bool host::read_commands()
{
	char bytes[4096];
	ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));

	if (n <= 0)
		return false;
	input_.append(bytes, n);
	for (size_t end; (end = input_.find('\n')) != std::string::npos;) {
		std::string line = input_.substr(0, end);

		input_.erase(0, end + 1);
		obey(std::istringstream(line));
	}
	return true;
}

void host::run()
{
	for (;;) {
		pollfd fds[] = { { tracker_.fd(), POLLIN, 0 },
				 { STDIN_FILENO, POLLIN, 0 } };

		poll(fds, 2, -1);
		if (fds[0].revents)
			tell_events();
		if (fds[1].revents && !read_commands())
			return;
	}
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		std::cerr << "usage: host RECORDS [PINS]\n";
		return 2;
	}
	try {
		host it(argv[1], argc > 2 ? argv[2] : nullptr, argv);

		it.take_up();
		it.run();
		return 0;
	} catch (const std::exception &error) {
		std::cerr << "host: " << error.what() << "\n";
		return 4;
	}
}
