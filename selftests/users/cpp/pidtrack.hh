/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * pidtrack.h for C++17: who owns what, and errors as exceptions.  Structs and
 * constants are those of C.  The namespace is not pidtrack, since that is a
 * struct; nor do the macros of C fill in options before C++20, so options()
 * does.
 */
#ifndef PIDTRACK_HH
#define PIDTRACK_HH

#include <memory>
#include <optional>
#include <pidtrack.h>
#include <string>
#include <system_error>
#include <utility>

namespace pt
{

/* What was refused: code() is the errno, what() has the place, too. */
class error : public std::system_error
{
      public:
	error(int r, const std::string &place)
	    : std::system_error(-r, std::generic_category(), place)
	{
	}
};

inline int check(int r, const char *place)
{
	if (r < 0)
		throw error(r, place);
	return r;
}

/* Every field at its default: auto launch = options<pidtrack_spawn_options>()
 */
template <typename Options> Options options()
{
	Options options = {};

	options.size = sizeof(options);
	return options;
}

struct closer {
	void operator()(::pidtrack *tracker) const
	{
		pidtrack_free(tracker);
	}
	void operator()(pidtrack_process *process) const
	{
		pidtrack_process_free(process);
	}
	void operator()(pidtrack_record *record) const
	{
		pidtrack_record_free(record);
	}
	void operator()(pidtrack_recovery *recovery) const
	{
		pidtrack_recovery_free(recovery);
	}
};

template <typename T> using owned = std::unique_ptr<T, closer>;

/* Its tracker lives as long as it does; a shim lives on. */
class process
{
      public:
	process(std::shared_ptr<::pidtrack> tracker, pidtrack_process *process)
	    : tracker_(std::move(tracker)), process_(process)
	{
	}

	pid_t pid() const
	{
		return pidtrack_process_pid(process_.get());
	}

	void stop(const pidtrack_stop_options &options)
	{
		check(pidtrack_process_stop(process_.get(), &options), "stop");
	}

      private:
	std::shared_ptr<::pidtrack> tracker_; /* goes after process_ */
	owned<pidtrack_process> process_;
};

class record
{
      public:
	explicit record(const char *path)
	{
		pidtrack_record *record;

		check(pidtrack_record_read(path, &record), "record");
		record_.reset(record);
	}

	const pidtrack_record *get() const
	{
		return record_.get();
	}

	pidtrack_comparison verify() const
	{
		pidtrack_comparison found = {};

		check(pidtrack_verify(nullptr, get(), &found, sizeof(found)),
		      "verify");
		return found;
	}

      private:
	owned<pidtrack_record> record_;
};

/* For the thread that made it. */
class tracker
{
      public:
	explicit tracker(const pidtrack_options &options)
	{
		::pidtrack *tracker;

		check(pidtrack_new(&options, &tracker), "tracker");
		tracker_ = std::shared_ptr<::pidtrack>(tracker, closer());
	}

	int fd() const
	{
		return pidtrack_fd(tracker_.get());
	}

	process spawn(const pidtrack_spawn_options &options)
	{
		pidtrack_process *process;
		uint32_t stage;
		int r = pidtrack_spawn(tracker_.get(), &options, &process,
				       &stage);

		check(r, r < 0 ? pidtrack_stage_name(stage) : "");
		return { tracker_, process };
	}

	/* Nothing if it is not there, or not for certain: see @found. */
	std::optional<process> attach(const record &record,
				      pidtrack_comparison &found)
	{
		pidtrack_process *process;
		int r = pidtrack_attach_record(tracker_.get(), record.get(), 0,
					       &process, &found, sizeof(found));

		if (r == -ESRCH || r == -ESTALE || r == -ENODATA)
			return std::nullopt;
		check(r, "attach");
		return pt::process(tracker_, process);
	}

	/* Lent until the next call, which acknowledges it; nullptr: none. */
	const pidtrack_event *next()
	{
		const pidtrack_event *event;

		return check(pidtrack_next(tracker_.get(), &event), "next") ?
			       event :
			       nullptr;
	}

	/* Calls @each(recovered, std::optional<process>) of all that is kept.
	 */
	template <typename Each> void recover(Each each)
	{
		pidtrack_recovery *recovery;

		check(pidtrack_recover(tracker_.get(), &recovery), "recover");
		tell(owned<pidtrack_recovery>(recovery), each);
	}

	/* To be passed to resume(), by the program that is executed next. */
	int prepare()
	{
		int fd;

		check(pidtrack_handoff_prepare(tracker_.get(), &fd), "handoff");
		return fd;
	}

	void cancel()
	{
		check(pidtrack_handoff_cancel(tracker_.get()), "handoff");
	}

	template <typename Each> void resume(int fd, Each each)
	{
		pidtrack_recovery *recovery;

		check(pidtrack_handoff_resume(tracker_.get(), fd, &recovery),
		      "handoff");
		tell(owned<pidtrack_recovery>(recovery), each);
	}

      private:
	template <typename Each>
	void tell(owned<pidtrack_recovery> recovery, Each each)
	{
		const pidtrack_recovered *found;

		while (pidtrack_recovery_next(recovery.get(), &found) > 0)
			each(*found, found->process ?
					     std::make_optional<process>(
						     tracker_, found->process) :
					     std::nullopt);
	}

	std::shared_ptr<::pidtrack> tracker_;
};

} // namespace pt

#endif
