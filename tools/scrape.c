/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "scrape.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "format.h"
#include "number.h"
#include "owned.h"

#define PEERS_MAX 16	       /* beyond them the one that came first goes */
#define REQUEST_MAX 4096       /* bytes */
#define DISCARD_MAX (64 << 10) /* bytes that a peer says too much */
#define PAUSE_MS 1000	       /* where no more descriptors are to be had */

/* In this order. */
enum peer_state { PEER_NONE, PEER_ASKS, PEER_LISTENS, PEER_LEAVES };

struct peer {
	int fd; /* owned; -1: nobody */
	enum peer_state state;
	uint64_t serial;
	char request[REQUEST_MAX + 1];
	size_t asked;
	char *answer; /* owned */
	size_t size, sent;
	size_t discarded;
};

struct scrape {
	int listens, epoll;
	bool paused;
	uint64_t serial; /* of the last that came */
	struct peer peers[PEERS_MAX];
};

/* What epoll says beside the number of a peer. */
#define LISTENS PEERS_MAX

/* ---- addresses ---- */

static int parse_host(const char *host, uint16_t port,
		      struct scrape_address *ret_address)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET,
				  .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
				   .sin6_port = htons(port),
				   .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	memset(ret_address, 0, sizeof(*ret_address));
	if (strcmp(host, "[::1]") == 0) {
		memcpy(&ret_address->address, &v6, sizeof(v6));
		ret_address->size = sizeof(v6);
		return 0;
	}
	if (!*host || strcmp(host, "localhost") == 0)
		v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else if (inet_pton(AF_INET, host, &v4.sin_addr) != 1 ||
		 ntohl(v4.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
		return -EADDRNOTAVAIL;
	memcpy(&ret_address->address, &v4, sizeof(v4));
	ret_address->size = sizeof(v4);
	return 0;
}

int scrape_parse(const char *word, struct scrape_address *ret_address)
{
	const char *colon = strrchr(word, ':');
	uint64_t port;
	char host[64];

	if (!colon ||
	    !number_parse(colon + 1, strlen(colon + 1), 10, UINT16_MAX, &port))
		return -EINVAL;
	format_text(host, sizeof(host), "%.*s", (int)(colon - word), word);
	return parse_host(host, (uint16_t)port, ret_address);
}

/* ---- peers ---- */

static void await(const struct scrape *scrape, const struct peer *peer,
		  int operation, uint32_t events)
{
	struct epoll_event event = {
		.events = events,
		.data.u64 = (uint64_t)(peer - scrape->peers),
	};

	(void)epoll_ctl(scrape->epoll, operation, peer->fd, &event);
}

/* Whoever's descriptor is closed is not waited for any more. */
static void drop(struct peer *peer)
{
	fd_closep(&peer->fd);
	free(peer->answer);
	peer->fd = -1;
	peer->state = PEER_NONE;
	peer->answer = NULL;
}

/* A place for one more: if there is none, that of the one that came first. */
static struct peer *place(struct scrape *scrape)
{
	struct peer *oldest = &scrape->peers[0];

	for (size_t i = 0; i < PEERS_MAX; i++) {
		struct peer *peer = &scrape->peers[i];

		if (peer->state == PEER_NONE)
			return peer;
		if (peer->serial < oldest->serial)
			oldest = peer;
	}
	drop(oldest);
	return oldest;
}

static void listen_again(struct scrape *scrape, bool listens)
{
	struct epoll_event event = {
		.events = listens ? EPOLLIN : 0,
		.data.u64 = LISTENS,
	};

	(void)epoll_ctl(scrape->epoll, EPOLL_CTL_MOD, scrape->listens, &event);
	scrape->paused = !listens;
}

static void take_peer(struct scrape *scrape)
{
	struct peer *peer;
	int fd;

	fd = accept4(scrape->listens, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		/* it is still there, and would wake us for nothing */
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM)
			listen_again(scrape, false);
		return;
	}
	peer = place(scrape);
	peer->fd = fd;
	peer->state = PEER_ASKS;
	peer->serial = ++scrape->serial;
	peer->asked = 0;
	peer->sent = 0;
	peer->discarded = 0;
	await(scrape, peer, EPOLL_CTL_ADD, EPOLLIN);
}

/* ---- what is asked, and answered ---- */

struct asked {
	const char *status; /* of the answer */
	const char *more;   /* lines of its head */
};

static bool is_metrics(const char *target)
{
	size_t n = strcspn(target, "? ");

	return n == strlen("/metrics") && strncmp(target, "/metrics", n) == 0;
}

/* Whether there is an empty line, and no NUL before it. */
static bool has_head(const struct peer *peer)
{
	return strstr(peer->request, "\r\n\r\n") ||
	       strstr(peer->request, "\n\n");
}

/* The first line is all of a request that matters. */
static struct asked understand(const struct peer *peer)
{
	const char *text = peer->request, *target, *version;
	size_t n = strcspn(text, "\r\n");

	if (!has_head(peer) && strlen(text) < peer->asked)
		return (struct asked){ "400 Bad Request", "" };
	if (!has_head(peer))
		return (struct asked){ "431 Request Header Fields Too Large",
				       "" };
	target = memchr(text, ' ', n);
	version = target ? memchr(target + 1, ' ',
				  n - (size_t)(target + 1 - text)) :
			   NULL;
	if (!version || strncmp(version, " HTTP/1.", 8) != 0)
		return (struct asked){ "400 Bad Request", "" };
	if (!is_metrics(target + 1))
		return (struct asked){ "404 Not Found", "" };
	if (strncmp(text, "GET ", 4) != 0)
		return (struct asked){ "405 Method Not Allowed",
				       "Allow: GET\r\n" };
	return (struct asked){
		"200 OK",
		"Content-Type: application/openmetrics-text; version=1.0.0; "
		"charset=utf-8\r\n",
	};
}

static void make_answer(struct peer *peer, const struct asked *asked,
			const char *body, size_t size)
{
	FILE *answer = open_memstream(&peer->answer, &peer->size);

	if (!answer)
		return;
	(void)fprintf(answer,
		      "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n"
		      "Connection: close\r\n\r\n",
		      asked->status, asked->more, size);
	(void)fwrite(body, 1, size, answer);
	(void)fclose(answer);
}

static void begin_answer(struct peer *peer,
			 char *(*tell)(const void *of, size_t *ret_size),
			 const void *of)
{
	struct asked asked = understand(peer);
	CLEANUP(freep) char *body = NULL;
	char words[64];
	size_t size;

	if (strcmp(asked.status, "200 OK") == 0) {
		body = tell(of, &size);
		if (body) {
			make_answer(peer, &asked, body, size);
			return;
		}
		asked = (struct asked){ "503 Service Unavailable", "" };
	}
	size = format_text(words, sizeof(words), "%s\n", asked.status);
	make_answer(peer, &asked, words, size);
}

/* Return: whether all of a request is there, or as much as we take. */
static bool is_whole(const struct peer *peer)
{
	return has_head(peer) || peer->asked == REQUEST_MAX ||
	       strlen(peer->request) < peer->asked;
}

/* Return: whether it is still there. */
static bool ask(struct peer *peer)
{
	ssize_t n = recv(peer->fd, peer->request + peer->asked,
			 REQUEST_MAX - peer->asked, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	peer->asked += (size_t)n;
	peer->request[peer->asked] = 0;
	return n > 0;
}

static bool answer(struct scrape *scrape, struct peer *peer)
{
	ssize_t n = send(peer->fd, peer->answer + peer->sent,
			 peer->size - peer->sent, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	peer->sent += (size_t)n;
	if (peer->sent < peer->size)
		return true;
	/* closed before it has read all, it would lose what it has not */
	(void)shutdown(peer->fd, SHUT_WR);
	peer->state = PEER_LEAVES;
	await(scrape, peer, EPOLL_CTL_MOD, EPOLLIN);
	return true;
}

static bool discard(struct peer *peer)
{
	ssize_t n = recv(peer->fd, peer->request, REQUEST_MAX, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	peer->discarded += (size_t)n;
	return n > 0 && peer->discarded < DISCARD_MAX;
}

static void serve(struct scrape *scrape, struct peer *peer,
		  char *(*tell)(const void *of, size_t *ret_size),
		  const void *of)
{
	bool stays = true;

	if (peer->state == PEER_ASKS) {
		stays = ask(peer);
		if (stays && is_whole(peer)) {
			begin_answer(peer, tell, of);
			stays = peer->answer;
			peer->state = PEER_LISTENS;
			await(scrape, peer, EPOLL_CTL_MOD, EPOLLOUT);
		}
	} else if (peer->state == PEER_LEAVES) {
		stays = discard(peer);
	}
	if (stays && peer->state == PEER_LISTENS)
		stays = answer(scrape, peer);
	if (!stays)
		drop(peer);
}

void scrape_serve(struct scrape *scrape,
		  char *(*tell)(const void *of, size_t *ret_size),
		  const void *of)
{
	struct epoll_event events[PEERS_MAX + 1];
	bool comes = scrape->paused;
	int n;

	n = epoll_wait(scrape->epoll, events, ARRAY_SIZE(events), 0);
	for (int i = 0; i < n; i++) {
		if (events[i].data.u64 == LISTENS)
			comes = true;
		else
			serve(scrape, &scrape->peers[events[i].data.u64], tell,
			      of);
	}
	if (!comes)
		return;
	if (scrape->paused)
		listen_again(scrape, true);
	/* last, since it may have a place from which something was heard */
	take_peer(scrape);
}

/* ---- all of it ---- */

static int listen_at(const struct scrape_address *address)
{
	CLEANUP(fd_closep) int fd = -1;
	int one = 1;

	fd = socket(address->address.ss_family,
		    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* what was there until now may linger */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)&address->address,
		 address->size) < 0 ||
	    listen(fd, PEERS_MAX) < 0)
		return -errno;
	return fd_take(&fd);
}

static int begin(struct scrape *scrape, const struct scrape_address *address)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = LISTENS };

	scrape->listens = listen_at(address);
	if (scrape->listens < 0)
		return scrape->listens;
	scrape->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (scrape->epoll < 0 || epoll_ctl(scrape->epoll, EPOLL_CTL_ADD,
					   scrape->listens, &event) < 0)
		return -errno;
	return 0;
}

int scrape_open(const struct scrape_address *address,
		struct scrape **ret_scrape)
{
	struct scrape *scrape;
	int r;

	scrape = calloc(1, sizeof(*scrape));
	if (!scrape)
		return -ENOMEM;
	scrape->listens = -1;
	scrape->epoll = -1;
	for (size_t i = 0; i < PEERS_MAX; i++)
		scrape->peers[i].fd = -1;
	r = begin(scrape, address);
	if (r < 0) {
		scrape_free(scrape);
		return r;
	}
	*ret_scrape = scrape;
	return 0;
}

struct scrape *scrape_free(struct scrape *scrape)
{
	if (!scrape)
		return NULL;
	for (size_t i = 0; i < PEERS_MAX; i++)
		drop(&scrape->peers[i]);
	fd_closep(&scrape->listens);
	fd_closep(&scrape->epoll);
	free(scrape);
	return NULL;
}

unsigned int scrape_port(const struct scrape *scrape)
{
	struct sockaddr_storage address = { 0 };
	socklen_t size = sizeof(address);
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;

	(void)getsockname(scrape->listens, (struct sockaddr *)&address, &size);
	memcpy(&v4, &address, sizeof(v4));
	memcpy(&v6, &address, sizeof(v6));
	return ntohs(address.ss_family == AF_INET6 ? v6.sin6_port :
						     v4.sin_port);
}

int scrape_fd(const struct scrape *scrape)
{
	return scrape->epoll;
}

int scrape_patience(const struct scrape *scrape)
{
	return scrape->paused ? PAUSE_MS : -1;
}
