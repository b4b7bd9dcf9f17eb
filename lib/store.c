/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "store.h"

#include "file.h"
#include "given.h"
#include "lines.h"
#include "message.h"
#include "pidtrack.h"
#include "sys.h"

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

	if (is_short_of_room(self))
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
	pt_stored_label(&rest, label);
	ret_deposit->label_size = rest.length;
	if (rest.length - 1 > PT_STORED_LABEL_MAX)
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
	pt_text_field(&text, PT_STORED_FIRST, inode);
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
	pt_text_field(&text, PT_STORED_FIRST, inode);
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
	pt_stored_name(&text, inode, label);
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
	pt_stored_name(&text, inode, label);
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

/* "FDNAME=…", and "PAYLOAD=…" behind it if there is one that can be read. */
static int take_stored(struct pt_stored_list *list, struct pt_span *rest,
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
	r = pt_stored_add(list, name, pidfd, &stored);
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
static int take_some(struct pt_stored_list *list, struct pt_message *message,
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
static int ask_for_some(struct pt_store *store, struct pt_stored_list *list,
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

static int list_held(struct pt_store *store, struct pt_stored_list *list)
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

int pt_store_list(struct pt_store *store, struct pt_stored_list *ret_list)
{
	int r;

	*ret_list = (struct pt_stored_list){ 0 };
	if (store->service)
		r = pt_given_list(ret_list);
	else
		r = list_held(store, ret_list);
	if (r >= 0)
		return 0;
	for (size_t i = 0; i < ret_list->n; i++)
		pt_given_return(&ret_list->all[i]);
	pt_stored_list_done(ret_list);
	return r;
}
