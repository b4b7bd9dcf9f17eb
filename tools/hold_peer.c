/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "hold_peer.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "format.h"
#include "hold_request.h"
#include "owned.h"

#define FDS_MAX 253	 /* that the kernel passes in a message */
#define ANSWER_MAX 16384 /* bytes */

/* What came, or what goes out. */
struct message {
	char text[ANSWER_MAX];
	size_t size;
	int fds[FDS_MAX];
	size_t n_fds;
};

/* ---- out ---- */

static int send_message(int socket, struct message *message)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(message->fds))];
	struct iovec text = { message->text, message->size };
	struct msghdr header = { .msg_iov = &text, .msg_iovlen = 1 };
	struct cmsghdr *rights;

	if (message->n_fds > 0) {
		size_t size = message->n_fds * sizeof(int);

		memset(control, 0, sizeof(control));
		header.msg_control = control;
		header.msg_controllen = CMSG_SPACE(size);
		rights = CMSG_FIRSTHDR(&header);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(size);
		memcpy(CMSG_DATA(rights), message->fds, size);
	}
	return sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ?
		       -errno :
		       0;
}

static size_t begin_answer(struct message *answer,
			   const struct hold_request *request, int error)
{
	answer->n_fds = 0;
	answer->size = 0;
	if (request->tagged)
		answer->size = format_text(answer->text, sizeof(answer->text),
					   "TAG=%" PRIu64 "\n", request->tag);
	answer->size += format_text(answer->text + answer->size,
				    sizeof(answer->text) - answer->size,
				    "ERRNO=%d\n", -error);
	return answer->size;
}

static int answer_error(int socket, const struct hold_request *request,
			int error)
{
	struct message answer;

	begin_answer(&answer, request, error);
	return send_message(socket, &answer);
}

/* Return: whether there was room for it. */
static bool add_held(struct message *answer, const struct held *held)
{
	size_t left = sizeof(answer->text) - answer->size, n;
	char *end = answer->text + answer->size;

	if (answer->n_fds == FDS_MAX)
		return false;
	n = format_text(end, left, "FDNAME=%s\n", held->name);
	if (held->payload)
		n += format_text(end + n, left - n, "PAYLOAD=%s\n",
				 held->payload);
	if (n + 1 >= left)
		return false;
	answer->size += n;
	answer->fds[answer->n_fds++] = held->fd;
	return true;
}

#define NEXT_MAX 32 /* bytes: the first line of a list */

/* As many as go into one message, and which was the last; 0: of all. */
static int answer_list(struct hold *hold, int socket,
		       const struct hold_request *request)
{
	const struct held *held = hold_after(hold, request->after);
	uint64_t last = request->after;
	struct message answer;
	char next[NEXT_MAX + 1];
	size_t start;
	int r;

	start = begin_answer(&answer, request, 0);
	answer.size += NEXT_MAX;
	for (; held && add_held(&answer, held); held = held->next)
		last = held->serial;
	/* in blanks that a number need not be without */
	format_text(next, sizeof(next), "NEXT=%-*" PRIu64 "\n", NEXT_MAX - 6,
		    held ? last : 0);
	memcpy(answer.text + start, next, NEXT_MAX);

	r = send_message(socket, &answer);
	return r == -ETOOMANYREFS ? answer_error(socket, request, r) : r;
}

/* ---- in ---- */

static void take_fds(struct msghdr *header, struct message *message)
{
	struct cmsghdr *rights;

	message->n_fds = 0;
	for (rights = CMSG_FIRSTHDR(header); rights;
	     rights = CMSG_NXTHDR(header, rights)) {
		if (rights->cmsg_level != SOL_SOCKET ||
		    rights->cmsg_type != SCM_RIGHTS)
			continue;
		message->n_fds = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(message->fds, CMSG_DATA(rights),
		       message->n_fds * sizeof(int));
	}
}

/*
 * Room for one descriptor: what is more, the kernel never lets us see.  None is
 * close-on-exec: we execute nobody but ourselves, and then they are to stay.
 */
static int receive(int socket, struct message *ret_message)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec text = { ret_message->text, HOLD_REQUEST_MAX };
	struct msghdr header = {
		.msg_iov = &text,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_LEN(sizeof(int)),
	};
	ssize_t n;

	n = recvmsg(socket, &header, MSG_DONTWAIT);
	if (n < 0)
		/* it has ended; what it sent before is still to be read */
		return errno == ECONNRESET ? -EINTR : -errno;
	take_fds(&header, ret_message);
	ret_message->size = (size_t)n;
	if (header.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	if (header.msg_flags & MSG_CTRUNC)
		return ret_message->n_fds > 0 ? -EBADMSG : -EMFILE;
	return n == 0 ? -ECONNRESET : 0;
}

static int store(struct hold *hold, struct message *message,
		 const struct hold_request *request)
{
	int r;

	if (message->n_fds != 1)
		return -EBADMSG;
	r = hold_keep(hold, message->fds[0], request->name, request->payload);
	if (r == 0)
		message->n_fds = 0;
	return r;
}

static int serve_one(struct holding *holding, int socket);

#define BACKLOG_MAX 1024 /* messages: more than a socket has room for */

static void catch_up(struct holding *holding, int asking)
{
	if (holding->catches_up)
		return;
	holding->catches_up = true;
	for (size_t i = 0; i < holding->n_peers; i++) {
		int peer = holding->peers[i], r = 1;

		if (peer == asking)
			continue;
		for (int n = 0; r > 0 && n < BACKLOG_MAX; n++)
			r = serve_one(holding, peer);
		/* it is closed at its turn, as its end is there to be read */
		if (r < 0)
			shutdown(peer, SHUT_RDWR);
	}
	holding->catches_up = false;
}

static int list(struct holding *holding, int socket,
		const struct hold_request *request)
{
	catch_up(holding, socket);
	return answer_list(&holding->hold, socket, request);
}

static int obey(struct holding *holding, int socket, struct message *message,
		const struct hold_request *request)
{
	struct hold *hold = &holding->hold;
	int r = 0;

	if (request->asked == HOLD_STORE)
		r = store(hold, message, request);
	else if (message->n_fds > 0)
		r = -EBADMSG;
	else if (request->asked == HOLD_LIST)
		return list(holding, socket, request);
	else if (request->asked == HOLD_REMOVE)
		r = hold_let_go(hold, request->name);
	else if (request->asked == HOLD_PAY)
		r = hold_pay(hold, request->name, request->payload);
	/* what is malformed is told also to who did not ask */
	return request->tagged || r == -EBADMSG ?
		       answer_error(socket, request, r) :
		       0;
}

static bool is_malformed(int error)
{
	return error == -EMSGSIZE || error == -EBADMSG || error == -EMFILE;
}

/* Return: 1; 0 if there was no message; as hold_peer_serve(). */
static int serve_one(struct holding *holding, int socket)
{
	struct hold_request request = { 0 };
	struct message message;
	int malformed, r;

	r = receive(socket, &message);
	if (r == -EAGAIN || r == -EINTR)
		return r == -EINTR;
	if (r < 0 && !is_malformed(r))
		return r;
	malformed = r;
	/* of a malformed one too, for its tag */
	r = hold_request_parse(message.text, message.size, &request);
	if (malformed < 0 || r < 0)
		r = answer_error(socket, &request, malformed ? malformed : r);
	else
		r = obey(holding, socket, &message, &request);
	while (message.n_fds > 0)
		close(message.fds[--message.n_fds]);
	/* likewise; its end is told by the next to be read */
	return r < 0 && r != -EPIPE && r != -ECONNRESET ? r : 1;
}

int hold_peer_serve(struct holding *holding, int socket)
{
	int r = serve_one(holding, socket);

	return r < 0 ? r : 0;
}

int hold_peer_check(int socket)
{
	struct ucred credentials;
	socklen_t size = sizeof(credentials);

	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) <
	    0)
		return -errno;
	return credentials.uid == geteuid() ? 0 : -EPERM;
}

void hold_peer_refuse(int socket, int error)
{
	const struct hold_request nothing = { 0 };

	answer_error(socket, &nothing, error);
}
