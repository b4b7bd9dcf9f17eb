/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * pidtrack hold: keeps pidfds for hosts, and does nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "arguments.h"
#include "complain.h"
#include "format.h"
#include "hold_again.h"
#include "hold_peer.h"
#include "hold_socket.h"
#include "number.h"
#include "output.h"
#include "owned.h"

#define MAX_USUAL 10000
#define MAX_EVER 1000000
#define FDS_SPARED (HOLD_PEERS_MAX + 32) /* that are none of those held */

struct serving {
	uint64_t max; /* 0: as many as is usual, or there is room for */
	char *path;
	char program[4096]; /* what we are executed from */

	struct holding holding;
	struct hold_socket socket;
	int epoll;
	int signals;
	int spare; /* given up where there is no room to accept anybody */
};

static int set_max(void *to, const char *value)
{
	struct serving *serving = to;

	if (!number_parse(value, strlen(value), 10, MAX_EVER, &serving->max) ||
	    serving->max == 0)
		return complain_usage("--max '%s' is no number from 1 to %d",
				      value, MAX_EVER);
	return 0;
}

static const struct command_option options[] = {
	{ "max", "N", "hold so many at most; without it 10000", set_max },
	{ 0 },
};

static int failed(const char *deed, int error)
{
	complain("%s: %s", deed, strerror(-error));
	return EXIT_FAILED;
}

/* ---- hosts ---- */

static int watch(const struct serving *serving, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(serving->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ?
		       -errno :
		       0;
}

static void close_peer(struct serving *serving, int fd)
{
	struct holding *holding = &serving->holding;

	for (size_t i = 0; i < holding->n_peers; i++) {
		if (holding->peers[i] != fd)
			continue;
		holding->peers[i] = holding->peers[--holding->n_peers];
		close(fd);
		return;
	}
}

static int admit(struct serving *serving, int fd)
{
	struct holding *holding = &serving->holding;
	int r;

	r = hold_peer_check(fd);
	if (r == 0 && holding->n_peers == HOLD_PEERS_MAX)
		r = -EUSERS;
	if (r == 0)
		r = watch(serving, fd);
	if (r < 0) {
		hold_peer_refuse(fd, r);
		close(fd);
		return r;
	}
	holding->peers[holding->n_peers++] = fd;
	return 0;
}

/* Without a descriptor for it, it would wait, and we be told of it for ever. */
static void turn_away(struct serving *serving)
{
	int fd;

	if (serving->spare >= 0)
		close(serving->spare);
	fd = accept4(serving->holding.listener, NULL, NULL, SOCK_NONBLOCK);
	if (fd >= 0) {
		hold_peer_refuse(fd, -EMFILE);
		close(fd);
	}
	serving->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void accept_one(struct serving *serving)
{
	int fd = accept4(serving->holding.listener, NULL, NULL, SOCK_NONBLOCK);

	if (fd >= 0)
		admit(serving, fd);
	else if (errno == EMFILE || errno == ENFILE)
		turn_away(serving);
}

/* ---- signals ---- */

static void execute_again(struct serving *serving)
{
	char word[] = "pidtrack", command[] = "hold", max[] = "--max",
	     end[] = "--", number[24];
	char *argv[] = { word, command, max, number, end, serving->path, NULL };
	int r;

	format_text(number, sizeof(number), "%zu", serving->holding.hold.max);
	r = hold_again(serving->program, argv, &serving->holding);
	complain("cannot execute '%s', going on: %s", serving->program,
		 strerror(-r));
}

/* Return: whether we are to end. */
static bool take_signal(struct serving *serving)
{
	struct signalfd_siginfo signal;

	if (read(serving->signals, &signal, sizeof(signal)) != sizeof(signal))
		return false;
	if (signal.ssi_signo != SIGHUP)
		return true;
	execute_again(serving);
	return false;
}

static int open_signals(struct serving *serving)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	serving->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return serving->signals < 0 ? -errno : watch(serving, serving->signals);
}

/* ---- serving ---- */

#define EVENTS_MAX 16

/* Each that is ready has one turn, whatever the others send. */
static bool take_events(struct serving *serving)
{
	struct epoll_event events[EVENTS_MAX];
	bool ends = false;
	int n;

	n = epoll_wait(serving->epoll, events, EVENTS_MAX, -1);
	for (int i = 0; i < n; i++) {
		int fd = events[i].data.fd;

		if (fd == serving->holding.listener)
			accept_one(serving);
		else if (fd == serving->signals)
			ends = take_signal(serving) || ends;
		else if (hold_peer_serve(&serving->holding, fd) < 0)
			close_peer(serving, fd);
	}
	return ends;
}

static int watch_all(struct serving *serving)
{
	const struct holding *holding = &serving->holding;
	int r;

	serving->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (serving->epoll < 0)
		return -errno;
	r = open_signals(serving);
	if (r == 0)
		r = watch(serving, holding->listener);
	for (size_t i = 0; r == 0 && i < holding->n_peers; i++)
		r = watch(serving, holding->peers[i]);
	serving->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return r;
}

static int listen_failed(const char *path, int error)
{
	const char *advice = "";

	if (error == -EADDRINUSE)
		advice = "; somebody listens there, 'pidtrack hold' or another";
	else if (error == -EEXIST)
		advice = "; it is no socket, and stays as it is";
	else if (error == -ENOENT)
		advice = "; make the directory first";
	complain("'%s': %s%s", path, strerror(-error), advice);
	return EXIT_FAILED;
}

static int begin(struct serving *serving)
{
	int r;

	r = hold_socket_open(serving->path, &serving->socket);
	if (r < 0)
		return listen_failed(serving->path, r);
	serving->holding.listener = serving->socket.fd;
	r = watch_all(serving);
	if (r < 0)
		return failed("waiting", r);
	output_begin();
	printf("holding at %s\n", serving->path);
	r = output_flush();
	return r < 0 && r != -EPIPE ? output_failed(r) : 0;
}

static int go_on(struct serving *serving, int taken)
{
	int r;

	if (taken < 0)
		complain("what was handed over is damaged: %s",
			 strerror(-taken));
	output_begin();
	if (serving->holding.listener < 0)
		return begin(serving);
	serving->socket.fd = serving->holding.listener;
	hold_socket_look(serving->path, &serving->socket);
	r = watch_all(serving);
	return r < 0 ? failed("waiting", r) : 0;
}

static int serve(struct serving *serving)
{
	ssize_t n;
	int r;

	n = readlink("/proc/self/exe", serving->program,
		     sizeof(serving->program) - 1);
	serving->program[n > 0 ? n : 0] = 0;
	r = hold_init(&serving->holding.hold, serving->max);
	if (r < 0)
		return failed("beginning", r);
	r = hold_taken_over(&serving->holding);
	r = r == 0 ? begin(serving) : go_on(serving, MIN(r, 0));
	if (r)
		return r;
	while (!take_events(serving))
		;
	if (serving->holding.hold.n > 0)
		complain("ending, and %zu processes are held no longer",
			 serving->holding.hold.n);
	return EXIT_AS_ASKED;
}

/* ---- beginning and end ---- */

/* As many descriptors as we may have, and what of them is to be held. */
static int find_room(struct serving *serving)
{
	struct rlimit limit;
	uint64_t room;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return failed("RLIMIT_NOFILE", -errno);
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return failed("RLIMIT_NOFILE", -errno);
	room = limit.rlim_max > FDS_SPARED ? limit.rlim_max - FDS_SPARED : 0;
	if (serving->max == 0)
		serving->max = room > 0 ? MIN(MAX_USUAL, room) : 1;
	if (serving->max <= room)
		return 0;
	complain("RLIMIT_NOFILE has room to hold %llu, not %llu; raise "
		 "'ulimit -Hn', or LimitNOFILE= of the unit",
		 (unsigned long long)room, (unsigned long long)serving->max);
	return EXIT_FAILED;
}

static void serving_done(struct serving *serving)
{
	hold_socket_close(serving->path, &serving->socket);
	for (size_t i = 0; i < serving->holding.n_peers; i++)
		close(serving->holding.peers[i]);
	hold_done(&serving->holding.hold);
	fd_closep(&serving->signals);
	fd_closep(&serving->spare);
	fd_closep(&serving->epoll);
}

static int hold_run(int argc, char **argv)
{
	CLEANUP(serving_done)
	struct serving serving = {
		.holding.listener = -1,
		.socket.fd = -1,
		.epoll = -1,
		.signals = -1,
		.spare = -1,
	};
	int r;

	r = arguments_parse(&command_hold, &serving, &argc, &argv);
	if (r != ARGUMENTS_FINE)
		return r;
	if (argc != 1)
		return complain_usage("%s", argc == 0 ? "which SOCKET? A path" :
							"one SOCKET, not more");
	serving.path = argv[0];
	r = find_room(&serving);
	return r ? r : serve(&serving);
}

const struct command command_hold = {
	.name = "hold",
	.operands = "SOCKET",
	.purpose = "Keeps pidfds for hosts that end and come back",
	.more = "Listens at SOCKET until SIGTERM, for the same user only; a\n"
		"host gives it as the store of its tracker, and after being\n"
		"killed has its processes from there, and how they ended.\n"
		"SIGHUP makes it execute itself anew, and lose none.\n"
		"\n"
		"Prints \"holding at SOCKET\" when it is ready.\n"
		"\n"
		"Exits with 4 if another one listens there, or for any other\n"
		"failure, 2 for a wrong command line.\n",
	.options = options,
	.run = hold_run,
};
