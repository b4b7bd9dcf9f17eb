/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "store.h"

#include <stdatomic.h>

#include "file.h"
#include "lines.h"
#include "message.h"
#include "pidtrack.h"
#include "sys.h"

#define NAME_FIRST "pidtrack."
#define NAME_MAX_THERE 255 /* bytes, of both */
#define NAME_LABEL_MAX (NAME_MAX_THERE - strlen(NAME_FIRST) - 20 - 1)
#define ANSWER_SIZE 16448 /* bytes, of the longest there is */

static struct iovec part_of(const struct pt_text *text)
{
	return (struct iovec){ text->start, text->length };
}

/* ---- answers ---- */

/* Takes "KEY=NUMBER" off. */
static bool take_number(struct pt_span *rest, const char *key,
			uint64_t *ret_number)
{
	struct pt_span left = *rest, line, value;

	if (!pt_line_take(&left, &line) || !pt_line_has(line, key, &value) ||
	    pt_text_parse_number(value.start, value.length, ret_number) < 0)
		return false;
	*rest = left;
	return true;
}

static int error_of(uint64_t number)
{
	return number > 4095 ? -EBADMSG : -(int)number;
}

/*
 * Waits for the answer to one request; what is still to be read of those before
 * is passed over, as after the death of a child that was to read it.
 *
 * Return: 0 and *ret_rest, what is behind its error; that error.
 */
static int hear(int socket, uint64_t tag, struct pt_message *message,
		struct pt_span *ret_rest)
{
	int refused = 0, r;

	while ((r = pt_message_receive(socket, message)) >= 0) {
		struct pt_span rest = { message->text, message->size };
		uint64_t number, its_tag;
		bool tagged = take_number(&rest, "TAG=", &its_tag);

		if (!take_number(&rest, "ERRNO=", &number)) {
			pt_message_drop(message, 0);
			return -EBADMSG;
		}
		if (tagged && its_tag == tag && number == 0) {
			*ret_rest = rest;
			return 0;
		}
		pt_message_drop(message, 0);
		if (tagged && its_tag == tag)
			return error_of(number);
		if (!tagged)
			refused = error_of(number);
	}
	return r == -ECONNRESET && refused < 0 ? refused : r;
}

/* The same of an answer that says no more. */
static int hear_error(int socket, uint64_t tag)
{
	char text[64];
	struct pt_message message = { .text = text, .room = sizeof(text) };
	struct pt_span rest;
	int r;

	r = hear(socket, tag, &message, &rest);
	pt_message_drop(&message, 0);
	return r;
}

/* ---- connections ---- */

/*
 * Whether it is one who holds, and for us.  What another user gave us for our
 * own could be anybody, whom we would signal.
 */
static int greet(struct pt_store *store, int socket)
{
	char bytes[64];
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));
	struct iovec part;
	uid_t user;
	int r;

	r = sys_peer_user(socket, &user);
	if (r < 0)
		return r;
	if (user != geteuid())
		return -EPERM;
	pt_text_field(&text, "HELLO=1\nTAG=", ++store->tag);
	part = part_of(&text);
	r = pt_message_send(socket, &part, 1, -1);
	/* it may have been refused, and told why */
	return r < 0 && r != -EPIPE && r != -ECONNRESET ?
		       r :
		       hear_error(socket, store->tag);
}

static int connect_store(struct pt_store *store)
{
	CLEANUP(fd_closep) int socket = -1;
	int r;

	socket = pt_message_connect(
		store->address, store->service ? SOCK_DGRAM : SOCK_SEQPACKET);
	if (socket < 0)
		return socket;
	r = store->service ? 0 : greet(store, socket);
	if (r < 0)
		return r;
	store->socket = fd_take(&socket);
	return 0;
}

int pt_store_ensure(struct pt_store *store)
{
	int r;

	if (store->socket >= 0 && !pt_message_ended(store->socket)) {
		r = store->doubted;
		store->doubted = false;
		return r;
	}
	store->socket = fd_close(store->socket);
	r = connect_store(store);
	return r < 0 ? r : 1;
}

void pt_store_doubt(struct pt_store *store)
{
	/* the service manager does not forget while its service goes on */
	store->doubted = !store->service;
}

static int address_of_service(char **ret_address)
{
	const char *address = secure_getenv("NOTIFY_SOCKET");

	if (!address || !address[0])
		return -ENOTCONN;
	/* "vsock:" and what else is to come */
	if (address[0] != '/' && address[0] != '@')
		return -EOPNOTSUPP;
	*ret_address = strdup(address);
	return *ret_address ? 0 : -ENOMEM;
}

static int check_pidfs(void)
{
	CLEANUP(fd_closep) int self = sys_pidfd_open(sys_getpid(), 0);

	if (self == -EMFILE || self == -ENFILE || self == -ENOMEM)
		return self;
	return self >= 0 && sys_on_pidfs(self) > 0 ? 0 : -EOPNOTSUPP;
}

int pt_store_open(const char *where, struct pt_store **ret_store)
{
	struct pt_store *store;
	int r;

	r = check_pidfs();
	if (r < 0)
		return r;
	store = calloc(1, sizeof(*store));
	if (!store)
		return -ENOMEM;
	store->socket = -1;
	store->service = strcmp(where, PIDTRACK_STORE_SERVICE) == 0;
	r = store->service ? address_of_service(&store->address) :
			     pt_file_absolute(where, &store->address);
	if (r >= 0)
		r = connect_store(store);
	if (r < 0) {
		pt_store_close(store);
		return r;
	}
	*ret_store = store;
	return 0;
}

struct pt_store *pt_store_close(struct pt_store *store)
{
	if (!store)
		return NULL;
	fd_close(store->socket);
	free(store->address);
	free(store);
	return NULL;
}

/* ---- names ---- */

static void add_label(struct pt_text *text, const char *label)
{
	for (; *label; label++) {
		/* which is what systemd has between two names */
		if (*label == ':')
			pt_text_string(text, "%3a");
		else
			pt_text_escaped(text, label, 1);
	}
}

static void add_name(struct pt_text *text, uint64_t inode, const char *label)
{
	pt_text_field(text, NAME_FIRST, inode);
	pt_text_byte(text, '.');
	add_label(text, label);
}

static bool has_our_name(const char *name)
{
	return strncmp(name, NAME_FIRST, strlen(NAME_FIRST)) == 0;
}

/* The label of "pidtrack.INODE.LABEL", and its inode: 0, -EBADMSG, -ENOMEM. */
static int parse_name(const char *name, uint64_t *ret_inode, char **ret_label)
{
	const char *digits = name + strlen(NAME_FIRST), *dot;
	CLEANUP(freep) char *label = NULL;
	struct pt_span rest;
	size_t n;
	int r;

	if (!has_our_name(name))
		return -EBADMSG;
	dot = strchr(digits, '.');
	if (!dot)
		return -EBADMSG;
	r = pt_text_parse_number(digits, (size_t)(dot - digits), ret_inode);
	if (r < 0)
		return r;
	rest = (struct pt_span){ dot + 1, strlen(dot + 1) };
	r = pt_span_unescape(rest, &label, &n);
	if (r < 0)
		return r;
	if (n == 0 || strlen(label) != n)
		return -EBADMSG;
	*ret_label = label;
	label = NULL;
	return 0;
}

/* ---- keeping ---- */

int pt_store_prepare(struct pt_store *store, const char *label,
		     const void *payload, size_t payload_size,
		     struct pt_deposit *ret_deposit)
{
	struct pt_text rest =
		PT_TEXT(ret_deposit->rest, sizeof(ret_deposit->rest));

	ret_deposit->service = store->service;
	ret_deposit->host = sys_getpid();
	ret_deposit->tag = ++store->tag;
	pt_text_byte(&rest, '.');
	add_label(&rest, label);
	ret_deposit->label_size = rest.length;
	if (rest.length - 1 > NAME_LABEL_MAX)
		return -ENAMETOOLONG;
	if (!store->service && payload_size > 0) {
		pt_text_string(&rest, "\nPAYLOAD=");
		pt_text_escaped(&rest, payload, payload_size);
	}
	ret_deposit->size = rest.length;
	return rest.overflow ? -ENAMETOOLONG : 0;
}

/*
 * Waits until the service manager has seen all that was sent: until it closes
 * the other end of a pipe.  It looks at who sent it, too, so that must still be
 * there then.
 */
static int await_service(int socket, pid_t host)
{
	static const char barrier[] = "BARRIER=1";
	struct iovec part = { (char *)barrier, strlen(barrier) };
	struct pollfd closed = { .events = 0 };
	int other, r;

	r = sys_pipe(&closed.fd, &other);
	if (r < 0)
		return r;
	r = pt_message_send_as(socket, &part, 1, other, host);
	sys_close(other);
	if (r >= 0)
		r = pt_message_await(&closed);
	sys_close(closed.fd);
	return MIN(r, 0);
}

int pt_store_keep(const struct pt_deposit *deposit, int socket, int pidfd)
{
	char bytes[128];
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));
	struct iovec parts[2] = { { NULL, 0 },
				  { (char *)deposit->rest, deposit->size } };
	uint64_t inode;
	int r;

	r = sys_inode(pidfd, &inode);
	if (r < 0)
		return r;
	if (!deposit->service) {
		pt_text_field(&text, "TAG=", deposit->tag);
		pt_text_byte(&text, '\n');
	}
	/* polled, it would be dropped as soon as its process is reaped */
	pt_text_string(&text, "FDSTORE=1\nFDPOLL=0\nFDNAME=");
	pt_text_field(&text, NAME_FIRST, inode);
	parts[0] = part_of(&text);
	if (!deposit->service) {
		r = pt_message_send(socket, parts, ARRAY_SIZE(parts), pidfd);
		return r < 0 ? r : hear_error(socket, deposit->tag);
	}
	/* in a cgroup of its own it may be nobody of the service's */
	r = pt_message_send_as(socket, parts, ARRAY_SIZE(parts), pidfd,
			       deposit->host);
	return r < 0 ? r : await_service(socket, deposit->host);
}

void pt_store_take_back(const struct pt_deposit *deposit, int socket, int pidfd)
{
	char bytes[128];
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));
	struct iovec parts[2] = {
		{ NULL, 0 },
		{ (char *)deposit->rest, deposit->label_size },
	};
	uint64_t inode;

	if (sys_inode(pidfd, &inode) < 0)
		return;
	pt_text_string(&text, "FDSTOREREMOVE=1\nFDNAME=");
	pt_text_field(&text, NAME_FIRST, inode);
	parts[0] = part_of(&text);
	(void)pt_message_send(socket, parts, ARRAY_SIZE(parts), -1);
	/* who sent it is to be looked at before we are gone */
	if (deposit->service)
		(void)await_service(socket, 0);
}

void pt_store_let_go(struct pt_store *store, const char *label, uint64_t inode)
{
	char bytes[1024];
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));
	struct iovec part;
	int r;

	if (store->socket < 0)
		return;
	pt_text_string(&text, "FDSTOREREMOVE=1\nFDNAME=");
	add_name(&text, inode, label);
	part = part_of(&text);
	/* where that fails otherwise, nobody is kept there any more */
	r = store->stuck ? pt_message_send_now(store->socket, &part) :
			   pt_message_send(store->socket, &part, 1, -1);
	store->stuck = r == -ETIMEDOUT || r == -EAGAIN;
}

int pt_store_pay(struct pt_store *store, const char *label, uint64_t inode,
		 const void *payload, size_t size)
{
	char bytes[4096];
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));
	struct iovec part;
	int r;

	if (store->service || store->socket < 0)
		return 0;
	pt_text_field(&text, "TAG=", ++store->tag);
	pt_text_string(&text, "\nFDPAYLOAD=1\nFDNAME=");
	add_name(&text, inode, label);
	if (size > 0) {
		pt_text_string(&text, "\nPAYLOAD=");
		pt_text_escaped(&text, payload, size);
	}
	part = part_of(&text);
	r = pt_message_send(store->socket, &part, 1, -1);
	if (r >= 0)
		r = hear_error(store->socket, store->tag);
	/* it will be given all of it once it is there again */
	return r == -EPIPE || r == -ECONNRESET || r == -ENOENT ? 0 : r;
}

/* ---- listing ---- */

static void stored_done(struct pt_stored *stored)
{
	free(stored->name);
	free(stored->label);
	free(stored->payload);
	fd_close(stored->pidfd);
}

void pt_store_list_done(struct pt_store_list *list)
{
	while (list->n > 0)
		stored_done(&list->all[--list->n]);
	free(list->all);
	list->all = NULL;
}

/* Whether it is the process that its name says: 0, -EBADF, -ESTALE. */
static int check_named(const struct pt_stored *stored)
{
	uint64_t its;

	if (stored->pidfd < 0)
		return -EMFILE; /* it did not come along */
	if (sys_on_pidfs(stored->pidfd) <= 0 ||
	    sys_inode(stored->pidfd, &its) < 0)
		return -EBADF;
	return its == stored->inode ? 0 : -ESTALE;
}

/* Adds one; takes over @pidfd in any case, which is -1 if it is missing. */
static int add_stored(struct pt_store_list *list, const char *name, int pidfd,
		      struct pt_stored **ret_stored)
{
	struct pt_stored *all, *stored;
	int r;

	all = realloc(list->all, (list->n + 1) * sizeof(*all));
	if (!all) {
		fd_close(pidfd);
		return -ENOMEM;
	}
	list->all = all;
	stored = &all[list->n++];
	*stored = (struct pt_stored){ .pidfd = pidfd, .given = -1 };
	stored->name = strdup(name);
	if (!stored->name)
		return -ENOMEM;
	r = parse_name(name, &stored->inode, &stored->label);
	if (r == -ENOMEM)
		return r;
	stored->error = r < 0 ? r : check_named(stored);
	*ret_stored = stored;
	return 0;
}

/* "FDNAME=…", and "PAYLOAD=…" behind it if there is one that can be read. */
static int take_stored(struct pt_store_list *list, struct pt_span *rest,
		       int pidfd)
{
	CLEANUP(freep) char *name = NULL;
	struct pt_span line, value, left;
	struct pt_stored *stored;
	int r;

	if (!pt_line_take(rest, &line) || !pt_line_has(line, "FDNAME=", &value))
		r = -EBADMSG;
	else
		r = (name = pt_span_copy(value)) ? 0 : -ENOMEM;
	if (r < 0) {
		fd_close(pidfd);
		return r;
	}
	r = add_stored(list, name, pidfd, &stored);
	left = *rest;
	if (r < 0 || !pt_line_take(&left, &line) ||
	    !pt_line_has(line, "PAYLOAD=", &value))
		return r;
	*rest = left;
	r = pt_span_unescape(value, &stored->payload, &stored->payload_size);
	/* a hold takes any text; one that is damaged is to hide nobody */
	return r == -EBADMSG ? 0 : r;
}

/* One message of them, and where the next begins. */
static int take_some(struct pt_store_list *list, struct pt_message *message,
		     struct pt_span rest, uint64_t *ret_next)
{
	struct pt_span line, value;
	size_t n = 0;
	int r = 0;

	if (!pt_line_take(&rest, &line) || !pt_line_has(line, "NEXT=", &value))
		r = -EBADMSG;
	else
		value = pt_span_trim(value);
	if (r >= 0)
		r = pt_text_parse_number(value.start, value.length, ret_next);
	while (r >= 0 && rest.length > 0) {
		int fd = n < message->n_fds ? message->fds[n] : -1;

		n++;
		r = take_stored(list, &rest, fd);
	}
	pt_message_drop(message, MIN(n, message->n_fds));
	return r;
}

/* Those behind @*after, and where the next begin; 0: nowhere. */
static int ask_for_some(struct pt_store *store, struct pt_store_list *list,
			struct pt_message *message, uint64_t *after)
{
	char bytes[64];
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));
	uint64_t next = 0;
	struct iovec part;
	struct pt_span rest;
	int r;

	pt_text_field(&text, "FDLIST=", *after);
	pt_text_field(&text, "\nTAG=", ++store->tag);
	part = part_of(&text);
	r = pt_message_send(store->socket, &part, 1, -1);
	if (r >= 0)
		r = hear(store->socket, store->tag, message, &rest);
	if (r >= 0)
		r = take_some(list, message, rest, &next);
	if (r >= 0 && next != 0 && next <= *after)
		r = -EBADMSG; /* or it would never end */
	*after = next;
	return r;
}

static int list_held(struct pt_store *store, struct pt_store_list *list)
{
	CLEANUP(freep) char *answer = malloc(ANSWER_SIZE);
	struct pt_message message = { .text = answer, .room = ANSWER_SIZE };
	uint64_t after = 0;
	int r;

	if (!answer)
		return -ENOMEM;
	do
		r = ask_for_some(store, list, &message, &after);
	while (r >= 0 && after != 0);
	return r;
}

/* ---- what the service manager gave us ---- */

#define GIVEN_FIRST 3 /* SD_LISTEN_FDS_START */

/* Those of them that were taken; shared by all our trackers, never freed. */
struct taken {
	size_t n;
	atomic_bool each[];
};

static struct taken *_Atomic all_taken;

static struct taken *taken_of(size_t n)
{
	struct taken *taken = atomic_load(&all_taken), *none = NULL;

	if (taken)
		return taken;
	taken = calloc(1, sizeof(*taken) + n * sizeof(taken->each[0]));
	if (!taken)
		return NULL;
	taken->n = n;
	if (!atomic_compare_exchange_strong(&all_taken, &none, taken)) {
		free(taken);
		taken = none;
	}
	return taken;
}

static uint64_t number_in_environment(const char *name)
{
	const char *value = secure_getenv(name);
	uint64_t number = 0;

	if (value && pt_text_parse_number(value, strlen(value), &number) < 0)
		return 0;
	return number;
}

/* A number that is open on something else by now was none of ours to give. */
static bool is_given(int fd, const char *name)
{
	struct pt_stored stored = { .pidfd = fd };
	CLEANUP(freep) char *label = NULL;

	return parse_name(name, &stored.inode, &label) < 0 ||
	       check_named(&stored) == 0;
}

static int list_one_given(struct pt_store_list *list, atomic_bool *taken,
			  int fd, const char *name)
{
	struct pt_stored *stored;
	int copy, r;

	if (!has_our_name(name) || !is_given(fd, name) ||
	    atomic_exchange(taken, true))
		return 0;
	sys_set_cloexec(fd, true);
	copy = sys_dup_above(fd, GIVEN_FIRST);
	if (copy < 0 && copy != -EMFILE) {
		atomic_store(taken, false);
		return copy == -EBADF ? 0 : copy;
	}
	r = add_stored(list, name, copy, &stored);
	if (r < 0)
		atomic_store(taken, false);
	else
		stored->given = fd;
	return r;
}

static int list_given(struct pt_store_list *list)
{
	const char *all_names = secure_getenv("LISTEN_FDNAMES");
	uint64_t n = number_in_environment("LISTEN_FDS");
	CLEANUP(freep) char *names = NULL;
	struct taken *taken;
	char *rest, *name;
	int r = 0;

	if (number_in_environment("LISTEN_PID") != (uint64_t)sys_getpid() ||
	    n == 0 || n > INT_MAX - GIVEN_FIRST || !all_names)
		return 0;
	names = rest = strdup(all_names);
	taken = taken_of(n);
	if (!names || !taken)
		return -ENOMEM;
	n = MIN(n, taken->n);
	for (uint64_t i = 0; r >= 0 && i < n; i++) {
		name = strsep(&rest, ":");
		if (!name)
			break;
		r = list_one_given(list, &taken->each[i], GIVEN_FIRST + (int)i,
				   name);
	}
	return r;
}

void pt_store_return(const struct pt_stored *stored)
{
	struct taken *taken = atomic_load(&all_taken);

	if (stored->given >= 0)
		atomic_store(&taken->each[stored->given - GIVEN_FIRST], false);
}

int pt_store_list(struct pt_store *store, struct pt_store_list *ret_list)
{
	int r;

	*ret_list = (struct pt_store_list){ 0 };
	if (store->service)
		r = list_given(ret_list);
	else
		r = list_held(store, ret_list);
	if (r >= 0)
		return 0;
	for (size_t i = 0; i < ret_list->n; i++)
		pt_store_return(&ret_list->all[i]);
	pt_store_list_done(ret_list);
	return r;
}
