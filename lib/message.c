/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "message.h"

#include <sys/un.h>

#include "sys.h"

int pt_message_connect(const char *address, int type)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	CLEANUP(fd_closep) int fd = -1;
	size_t n = strlen(address);
	int r;

	if (n == 0)
		return -ENOENT;
	if (n >= sizeof(name.sun_path))
		return -ENAMETOOLONG;
	memcpy(name.sun_path, address, n);
	if (address[0] == '@')
		name.sun_path[0] = 0;
	else
		n++; /* with its NUL */

	fd = sys_socket(type);
	if (fd < 0)
		return fd;
	r = sys_connect(fd, &name, offsetof(struct sockaddr_un, sun_path) + n);
	return r < 0 ? r : fd_take(&fd);
}

int pt_message_await(struct pollfd *fd)
{
	const int64_t end_ms = sys_now_ns() / 1000000 + PT_MESSAGE_WAIT;
	int64_t left_ms = PT_MESSAGE_WAIT;
	int r;

	/* there are hosts whose threads are interrupted all the time */
	while ((r = sys_ppoll_for(fd, (int)left_ms)) == -EINTR) {
		left_ms = end_ms - sys_now_ns() / 1000000;
		left_ms = MAX(left_ms, 0);
	}
	return r == 0 ? -ETIMEDOUT : r;
}

static int await(int socket, short events)
{
	struct pollfd ready = { .fd = socket, .events = events };

	return pt_message_await(&ready);
}

/* Appends one; returns the next. */
static struct cmsghdr *add_control(struct msghdr *header, struct cmsghdr *at,
				   int type, const void *bytes, size_t size)
{
	at->cmsg_level = SOL_SOCKET;
	at->cmsg_type = type;
	at->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(at), bytes, size);
	header->msg_controllen += CMSG_SPACE(size);
	return (struct cmsghdr *)((char *)at + CMSG_SPACE(size));
}

static int send_whole(int socket, const struct msghdr *header)
{
	int r;

	while ((r = sys_sendmsg(socket, header)) < 0) {
		if (r == -EAGAIN)
			r = await(socket, POLLOUT);
		if (r < 0 && r != -EINTR)
			return r;
	}
	return 0;
}

int pt_message_send(int socket, const struct iovec *parts, size_t n, int fd)
{
	return pt_message_send_as(socket, parts, n, fd, 0);
}

int pt_message_send_now(int socket, const struct iovec *part)
{
	const struct msghdr header = {
		.msg_iov = (struct iovec *)part,
		.msg_iovlen = 1,
	};
	int r;

	do {
		r = sys_sendmsg(socket, &header);
	} while (r == -EINTR);
	return MIN(r, 0);
}

int pt_message_send_as(int socket, const struct iovec *parts, size_t n, int fd,
		       pid_t pid)
{
	_Alignas(struct cmsghdr) char
		control[CMSG_SPACE(sizeof(fd)) +
			CMSG_SPACE(sizeof(struct ucred))] = { 0 };
	struct cmsghdr *next = (struct cmsghdr *)control;
	struct msghdr header = {
		.msg_iov = (struct iovec *)parts,
		.msg_iovlen = n,
		.msg_control = control,
	};
	int r;

	if (fd >= 0)
		next = add_control(&header, next, SCM_RIGHTS, &fd, sizeof(fd));
	if (pid > 0) {
		const struct ucred as = { pid, sys_getuid(), sys_getgid() };
		size_t before = header.msg_controllen;

		add_control(&header, next, SCM_CREDENTIALS, &as, sizeof(as));
		r = send_whole(socket, &header);
		/* it takes CAP_SYS_ADMIN, and the same namespaces */
		if (r != -EPERM && r != -ESRCH && r != -EINVAL)
			return r;
		header.msg_controllen = before;
	}
	return send_whole(socket, &header);
}

static void take_fds(struct msghdr *header, struct pt_message *message)
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

int pt_message_receive(int socket, struct pt_message *message)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(message->fds))];
	struct iovec text = { message->text, message->room - 1 };
	struct msghdr header = {
		.msg_iov = &text,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	bool reset = false;
	int r;

	while ((r = sys_recvmsg(socket, &header)) < 0) {
		if (r == -EAGAIN) {
			r = await(socket, POLLIN);
		} else if (r == -ECONNRESET && !reset) {
			/* told once, and before what was sent earlier */
			reset = true;
			continue;
		}
		if (r < 0 && r != -EINTR)
			return r;
	}
	take_fds(&header, message);
	message->size = (size_t)r;
	message->text[r] = 0;
	return r == 0 ? -ECONNRESET : 0;
}

void pt_message_drop(struct pt_message *message, size_t from)
{
	while (message->n_fds > from)
		sys_close(message->fds[--message->n_fds]);
}

bool pt_message_ended(int socket)
{
	struct pollfd ended = { .fd = socket, .events = POLLRDHUP };

	/* of datagrams it is known once one could not be sent */
	return sys_ppoll_now(&ended) > 0 || sys_peer(socket) == -ENOTCONN;
}
