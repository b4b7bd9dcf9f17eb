// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include "peer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TAX_MAX 1000

static const struct peer *peer;
static char *program;
static char *slots;
static bool live[SLOTS];
static uint32_t n_live, due, next_due;
static bool any_due;
static struct answer answer;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void peer_ended(uint32_t who, int status)
{
	answer.last_ns = now_ns();
	answer.n++;
	if (who >= SLOTS || !live[who]) {
		answer.wrong++;
		return;
	}
	answer.wrong += status != code_of(who) << 8;
	live[who] = false;
	n_live--;
}

uint32_t peer_due(void)
{
	if (any_due)
		return SLOTS;
	if (due < SLOTS && live[due])
		return due;
	while (next_due < SLOTS - 1 && !live[next_due])
		next_due++;
	return next_due;
}

pid_t peer_vfork(char *const *argv)
{
	pid_t pid = vfork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		execv(argv[0], argv);
		_exit(255);
	}
	return pid;
}

int peer_status(int code, int status)
{
	return code == CLD_EXITED ? status << 8 :
	       code == CLD_DUMPED ? status | 0x80 :
				    status;
}

static int launch(uint32_t who, char *file)
{
	char number[16];
	char *const argv[] = { program, number, file, NULL };
	int r;

	snprintf(number, sizeof(number), "%u",
		 file ? who : (uint32_t)code_of(who));
	r = peer->launch(argv, who);
	if (r < 0)
		return r;
	live[who] = true;
	n_live++;
	return 0;
}

static int turn(bool wait)
{
	answer.turns++;
	return peer->turn(wait);
}

/* ---- orders ---- */

/* Those that exit at once have no slot, but a code. */
static int launch_all(uint32_t n, uint32_t in_flight)
{
	uint32_t launched = 0;
	int r = 0;

	while (r >= 0 && (launched < n || n_live > 0))
		if (launched < n && n_live < in_flight)
			r = launch(launched++, NULL);
		else
			r = turn(true);
	return r;
}

static int hold(uint32_t n)
{
	int r = 0;

	for (uint32_t who = 0; who < n && r >= 0; who++)
		r = launch(who, slots);
	return r;
}

static int until_left(uint32_t n)
{
	int r = 0;

	while (n_live > n && r >= 0)
		r = turn(true);
	return r;
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* One that nobody tracks, as popen(3) and the like have them. */
static int make_stranger(int code)
{
	pid_t pid = vfork();
	int status;

	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(code);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	answer.n++;
	answer.wrong += status != code << 8;
	return peer->any_sigchld ? turn(false) : 0;
}

static int tax(uint32_t n)
{
	static uint64_t ns[TAX_MAX];
	uint32_t i;
	int r = 0;

	for (i = 0; i < n && i < TAX_MAX && r >= 0; i++) {
		uint64_t begin = now_ns();

		r = make_stranger((int)i % 251);
		ns[i] = now_ns() - begin;
	}
	qsort(ns, i, sizeof(ns[0]), by_size);
	answer.median_ns = ns[i / 2];
	return r;
}

static int follow(const struct order *order)
{
	uint32_t left = n_live;

	due = SLOTS;
	next_due = 0;
	any_due = order->kind == ORDER_LAUNCH;
	switch ((enum order_kind)order->kind) {
	case ORDER_LAUNCH:
		return order->n > SLOTS ?
			       -EINVAL :
			       launch_all(order->n, order->in_flight);
	case ORDER_HOLD:
		return order->n > SLOTS ? -EINVAL : hold(order->n);
	case ORDER_ONE:
		due = order->who;
		return left ? until_left(left - 1) : -EINVAL;
	case ORDER_ALL:
		return until_left(left > order->n ? left - order->n : 0);
	case ORDER_TAX:
		return tax(order->n);
	}
	return -EINVAL;
}

static void obey(const struct order *order)
{
	struct rusage before, after;

	memset(&answer, 0, sizeof(answer));
	getrusage(RUSAGE_SELF, &before);
	answer.begin_ns = now_ns();
	answer.error = follow(order);
	getrusage(RUSAGE_SELF, &after);
	answer.woken = (uint64_t)(after.ru_nvcsw - before.ru_nvcsw);
	answer.preempted = (uint64_t)(after.ru_nivcsw - before.ru_nivcsw);
}

int peer_main(const struct peer *this, int argc, char **argv)
{
	struct order order;
	int socket;
	ssize_t n;

	if (argc != 4)
		return 2;
	peer = this;
	socket = atoi(argv[1]);
	program = argv[2];
	slots = argv[3];
	answer.error = peer->begin();
	do {
		if (send(socket, &answer, sizeof(answer), MSG_NOSIGNAL) < 0)
			return 1;
		while ((n = recv(socket, &order, sizeof(order), 0)) < 0)
			if (errno != EINTR)
				return 1;
		if (n != sizeof(order))
			return 0;
		obey(&order);
	} while (true);
}
