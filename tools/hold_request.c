/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "hold_request.h"

#include <errno.h>
#include <string.h>

#include "number.h"

static bool is_printable(const char *text, const char *but)
{
	for (; *text; text++) {
		if (*text <= ' ' || *text > '~' || strchr(but, *text))
			return false;
	}
	return true;
}

bool hold_name_is_good(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= HOLD_NAME_MAX && is_printable(name, ":");
}

static int ask(struct hold_request *request, enum hold_asked asked)
{
	if (request->asked != HOLD_NOTHING)
		return -EBADMSG;
	request->asked = asked;
	return 0;
}

static int ask_once(struct hold_request *request, const char *value,
		    enum hold_asked asked)
{
	return strcmp(value, "1") == 0 ? ask(request, asked) : -EBADMSG;
}

static int set_hello(struct hold_request *request, const char *value)
{
	return ask_once(request, value, HOLD_HELLO);
}

static int set_store(struct hold_request *request, const char *value)
{
	return ask_once(request, value, HOLD_STORE);
}

static int set_remove(struct hold_request *request, const char *value)
{
	return ask_once(request, value, HOLD_REMOVE);
}

static int set_pay(struct hold_request *request, const char *value)
{
	return ask_once(request, value, HOLD_PAY);
}

static int set_list(struct hold_request *request, const char *value)
{
	return number_parse(value, strlen(value), 10, UINT64_MAX,
			    &request->after) ?
		       ask(request, HOLD_LIST) :
		       -EBADMSG;
}

static int set_name(struct hold_request *request, const char *value)
{
	if (request->name || !hold_name_is_good(value))
		return -EBADMSG;
	request->name = value;
	return 0;
}

static int set_payload(struct hold_request *request, const char *value)
{
	if (request->payload || strlen(value) > HOLD_PAYLOAD_MAX ||
	    !is_printable(value, ""))
		return -EBADMSG;
	request->payload = value;
	return 0;
}

static int set_tag(struct hold_request *request, const char *value)
{
	if (request->tagged ||
	    !number_parse(value, strlen(value), 10, UINT64_MAX, &request->tag))
		return -EBADMSG;
	request->tagged = true;
	return 0;
}

static const struct {
	const char *key;
	int (*set)(struct hold_request *request, const char *value);
} keys[] = {
	{ "TAG=", set_tag },	   { "HELLO=", set_hello },
	{ "FDSTORE=", set_store }, { "FDSTOREREMOVE=", set_remove },
	{ "FDPAYLOAD=", set_pay }, { "FDLIST=", set_list },
	{ "FDNAME=", set_name },   { "PAYLOAD=", set_payload },
};

/* A key that is not known, such as FDPOLL, says nothing to us. */
static int take_line(struct hold_request *request, const char *line)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		size_t n = strlen(keys[i].key);

		if (strncmp(line, keys[i].key, n) == 0)
			return keys[i].set(request, line + n);
	}
	return strchr(line, '=') ? 0 : -EBADMSG;
}

/* Whether it has what it asks for, and nothing that is of no use to it. */
static int check(const struct hold_request *request)
{
	bool paid = request->asked == HOLD_STORE || request->asked == HOLD_PAY;
	bool named = paid || request->asked == HOLD_REMOVE;

	if (request->asked == HOLD_NOTHING || named != !!request->name ||
	    (request->payload && !paid))
		return -EBADMSG;
	return 0;
}

int hold_request_parse(char *text, size_t size,
		       struct hold_request *ret_request)
{
	char *line, *rest = text;
	int r = 0;

	memset(ret_request, 0, sizeof(*ret_request));
	if (memchr(text, 0, size))
		return -EBADMSG;
	text[size] = 0;
	/* all of it: the tag may come last */
	while ((line = strsep(&rest, "\n"))) {
		if (*line && take_line(ret_request, line) < 0)
			r = -EBADMSG;
	}
	return r < 0 ? r : check(ret_request);
}
