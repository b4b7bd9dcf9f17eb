/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "signal_name.h"

#include <ctype.h>
#include <signal.h>
#include <string.h>
#include <strings.h>

#include "format.h"
#include "number.h"

#define LAST_SIGNAL 64

void signal_name(int number, char ret_name[SIGNAL_NAME_SIZE])
{
	const char *name = sigabbrev_np(number);

	if (name)
		format_text(ret_name, SIGNAL_NAME_SIZE, "SIG%s", name);
	else if (number >= SIGRTMIN)
		format_text(ret_name, SIGNAL_NAME_SIZE, "SIGRTMIN+%d",
			    number - SIGRTMIN);
	else
		format_text(ret_name, SIGNAL_NAME_SIZE, "%d", number);
}

/* Whether the first @n bytes of @text are @word. */
static bool is_word(const char *text, size_t n, const char *word)
{
	return strlen(word) == n && strncasecmp(text, word, n) == 0;
}

/* RTMIN, RTMIN+1, RTMAX-1, RTMAX. */
static bool parse_real_time(const char *text, size_t n, int *ret_number)
{
	bool from_last = n >= 5 && strncasecmp(text, "RTMAX", 5) == 0;
	uint64_t distance = 0;

	if (!from_last && (n < 5 || strncasecmp(text, "RTMIN", 5) != 0))
		return false;
	if (n > 5 &&
	    (text[5] != (from_last ? '-' : '+') ||
	     !number_parse(text + 6, n - 6, 10, (uint64_t)(SIGRTMAX - SIGRTMIN),
			   &distance)))
		return false;
	*ret_number = from_last ? SIGRTMAX - (int)distance :
				  SIGRTMIN + (int)distance;
	return true;
}

bool signal_parse(const char *text, size_t n, int *ret_number)
{
	uint64_t number;

	if (number_parse(text, n, 10, LAST_SIGNAL, &number)) {
		*ret_number = (int)number;
		return number > 0;
	}
	if (n > 3 && strncasecmp(text, "SIG", 3) == 0) {
		text += 3;
		n -= 3;
	}
	for (int i = 1; i < LAST_SIGNAL; i++) {
		const char *name = sigabbrev_np(i);

		if (name && is_word(text, n, name)) {
			*ret_number = i;
			return true;
		}
	}
	return parse_real_time(text, n, ret_number);
}
