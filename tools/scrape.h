/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * One text for those who ask for it by HTTP, on this machine's loopback: GET
 * /metrics and nothing else.  Nobody who asks is ever waited for.
 */
#ifndef SCRAPE_H
#define SCRAPE_H

#include <stddef.h>
#include <sys/socket.h>

struct scrape;

struct scrape_address {
	struct sockaddr_storage address;
	socklen_t size;
};

/* [HOST]:PORT, of the loopback.  Return: 0, -EINVAL; -EADDRNOTAVAIL for another
 * HOST. */
int scrape_parse(const char *word, struct scrape_address *ret_address);

/* Return: 0, a negative errno. */
int scrape_open(const struct scrape_address *address,
		struct scrape **ret_scrape);
struct scrape *scrape_free(struct scrape *scrape);

/* The port that the kernel chose for port 0. */
unsigned int scrape_port(const struct scrape *scrape);

/* Readable when scrape_serve() has something to do. */
int scrape_fd(const struct scrape *scrape);

/* Return: ms until it has at the latest; -1: no matter. */
int scrape_patience(const struct scrape *scrape);

/*
 * Goes on with all who ask.
 *
 * @tell: makes the text, to be freed, NULL for want of memory
 */
void scrape_serve(struct scrape *scrape,
		  char *(*tell)(const void *of, size_t *ret_size),
		  const void *of);

#endif
