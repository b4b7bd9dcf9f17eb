/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Text without libc's formatting, against libc's formatting. */
#include <ctype.h>

#include "harness.h"
#include "text.h"

/* Numbers at and around every edge there is. */
static uint64_t edge(unsigned int i)
{
	uint64_t power = i / 3 < 64 ? UINT64_C(1) << i / 3 : 0;

	return power + i % 3 - 1;
}

#define N_EDGES (65 * 3)

/* Room is given exactly, so that a sanitizer sees one byte more. */
struct room {
	struct pt_text text;
	char *bytes;
};

static struct room room_make(struct __test_metadata *_metadata, size_t size)
{
	struct room room = { .bytes = malloc(size ? size : 1) };
	struct pt_text text = PT_TEXT(room.bytes, size);

	ASSERT_NE(NULL, room.bytes);
	memset(room.bytes, '?', size);
	if (size)
		room.bytes[0] = 0;
	room.text = text;
	return room;
}

/* ---- numbers ---- */

static void number_check(struct __test_metadata *_metadata, uint64_t number)
{
	char bytes[32], expected[32];
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));
	uint64_t back = ~number;

	snprintf(expected, sizeof(expected), "%llu",
		 (unsigned long long)number);
	pt_text_number(&text, number);
	ASSERT_STREQ(expected, bytes);
	EXPECT_EQ(strlen(expected), text.length);
	EXPECT_FALSE(text.overflow);
	ASSERT_EQ(0, pt_text_parse_number(bytes, text.length, &back));
	EXPECT_EQ(number, back);
}

TEST(a_number_is_written_as_printf_does_and_read_back)
{
	unsigned int i;

	number_check(_metadata, 0);
	number_check(_metadata, INT32_MAX);
	number_check(_metadata, INT64_MAX);
	number_check(_metadata, UINT64_MAX);
	for (i = 0; i < N_EDGES; i++)
		number_check(_metadata, edge(i));
	for (i = 0; i < 20; i++) {
		uint64_t ten = 1;
		unsigned int j;

		for (j = 0; j < i; j++)
			ten *= 10;
		number_check(_metadata, ten - 1);
		number_check(_metadata, ten);
	}
}

static int parse(const char *string, uint64_t *ret_number)
{
	return pt_text_parse_number(string, strlen(string), ret_number);
}

TEST(a_number_one_beyond_64_bits_is_refused)
{
	uint64_t number = 5;

	EXPECT_EQ(0, parse("18446744073709551615", &number));
	EXPECT_EQ(UINT64_MAX, number);
	number = 5;
	EXPECT_EQ(-EBADMSG, parse("18446744073709551616", &number));
	EXPECT_EQ(-EBADMSG, parse("18446744073709551620", &number));
	EXPECT_EQ(-EBADMSG, parse("18446744073709551700", &number));
	EXPECT_EQ(-EBADMSG, parse("28446744073709551615", &number));
	EXPECT_EQ(-EBADMSG, parse("184467440737095516150", &number));
	EXPECT_EQ(-EBADMSG, parse("99999999999999999999999999", &number));
	EXPECT_EQ(5, number);
}

TEST(leading_zeros_add_nothing)
{
	uint64_t number;

	ASSERT_EQ(0, parse("0", &number));
	EXPECT_EQ(0, number);
	ASSERT_EQ(0, parse("0000000000000000000000000000000000000", &number));
	EXPECT_EQ(0, number);
	ASSERT_EQ(0, parse("00000000000000000000000000000000000042", &number));
	EXPECT_EQ(42, number);
	ASSERT_EQ(0, parse("0018446744073709551615", &number));
	EXPECT_EQ(UINT64_MAX, number);
	EXPECT_EQ(-EBADMSG, parse("0018446744073709551616", &number));
}

TEST(signs_blanks_and_other_bases_are_no_numbers)
{
	static const char *const wrong[] = {
		"",
		"+1",
		"-1",
		"-0",
		" 1",
		"1 ",
		"1\n",
		"\t1",
		"1\r\n",
		"0x1",
		"1e3",
		"1.0",
		"1,000",
		"1_000",
		"a",
		"1a",
		"a1",
		"+",
		"-",
		" ",
		"/",
		":",
		"1:",
		"1/",
		"--1",
		"1-",
		"\xb2",
		"\xd9\xa1",
		"1\x01",
		("\x7f"
		 "1"),
		"0b1",
		"1u",
		"NaN",
		"inf",
	};
	uint64_t number = 5;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(-EBADMSG, parse(wrong[i], &number))
		{
			TH_LOG("of '%s'", wrong[i]);
		}
	}
	EXPECT_EQ(5, number);
}

TEST(of_all_bytes_only_digits_are_numbers)
{
	unsigned int byte;

	for (byte = 0; byte < 256; byte++) {
		char bytes[3] = { '1', (char)byte, '2' };
		uint64_t number = 5;
		bool digit = byte >= '0' && byte <= '9';

		EXPECT_EQ(digit ? 0 : -EBADMSG,
			  pt_text_parse_number(bytes, 3, &number));
		EXPECT_EQ(digit ? 102 + (byte - '0') * 10 : 5, number);
	}
}

/* Whole means whole: a NUL within is an excess like any other. */
TEST(a_number_ends_where_its_length_says)
{
	uint64_t number;

	ASSERT_EQ(0, pt_text_parse_number("123456", 3, &number));
	EXPECT_EQ(123, number);
	EXPECT_EQ(-EBADMSG, pt_text_parse_number("12\0", 3, &number));
	EXPECT_EQ(-EBADMSG, pt_text_parse_number("12", 0, &number));
}

TEST(a_field_is_its_key_and_the_number)
{
	char bytes[64];
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));

	pt_text_field(&text, "a=", 0);
	pt_text_field(&text, ",b=", UINT64_MAX);
	EXPECT_STREQ("a=0,b=18446744073709551615", bytes);
}

TEST(hexadecimal_digits_are_as_many_as_asked_for)
{
	char bytes[64];
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));

	pt_text_hex(&text, 0, 1);
	pt_text_byte(&text, ' ');
	pt_text_hex(&text, 0xab, 2);
	pt_text_byte(&text, ' ');
	pt_text_hex(&text, 0x1c, 8);
	pt_text_byte(&text, ' ');
	pt_text_hex(&text, UINT64_MAX, 16);
	EXPECT_STREQ("0 ab 0000001c ffffffffffffffff", bytes);
}

TEST(no_hexadecimal_digits_are_nothing)
{
	char bytes[8] = "";
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));

	pt_text_hex(&text, 0xff, 0);
	EXPECT_EQ(0, text.length);
}

/* ---- escaping ---- */

/* The other way about, by libc. */
static size_t unescape(const char *text, unsigned char *ret_bytes)
{
	size_t n = 0;

	while (*text) {
		char pair[3];

		if (*text != '%') {
			ret_bytes[n++] = (unsigned char)*text++;
			continue;
		}
		memcpy(pair, text + 1, 2);
		pair[2] = 0;
		ret_bytes[n++] = (unsigned char)strtoul(pair, NULL, 16);
		text += 3;
	}
	return n;
}

/* Printable ASCII that no reader of JSON, shell words or lines trips over. */
static bool harmless(unsigned char byte)
{
	return byte > ' ' && byte < 0x7f && !strchr("\"'\\`,=%$", byte);
}

TEST(every_byte_survives_escaping_or_is_escaped)
{
	unsigned int byte;

	for (byte = 0; byte < 256; byte++) {
		unsigned char in = (unsigned char)byte, out[4];
		char bytes[8], expected[8];
		struct pt_text text = PT_TEXT(bytes, sizeof(bytes));

		pt_text_escaped(&text, &in, 1);
		snprintf(expected, sizeof(expected),
			 text.length == 1 ? "%c" : "%%%02x", in);
		EXPECT_STREQ(expected, bytes);
		EXPECT_EQ(pt_text_plain(in), text.length == 1);
		EXPECT_EQ(1, unescape(bytes, out));
		EXPECT_EQ(byte, out[0]);
	}
}

TEST(only_harmless_bytes_stand_for_themselves)
{
	unsigned int byte;

	for (byte = 0; byte < 256; byte++) {
		bool letter = byte < 128 && isalnum((int)byte);

		if (letter || (byte && strchr("/._-", (int)byte)))
			EXPECT_TRUE(pt_text_plain((unsigned char)byte));
		if (pt_text_plain((unsigned char)byte))
			EXPECT_TRUE(harmless((unsigned char)byte));
	}
}

TEST(all_bytes_at_once_survive_escaping)
{
	unsigned char in[256], out[1024];
	char bytes[1024];
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));
	unsigned int i;

	for (i = 0; i < 256; i++)
		in[i] = (unsigned char)(255 - i);
	pt_text_escaped(&text, in, sizeof(in));
	EXPECT_FALSE(text.overflow);
	ASSERT_EQ(sizeof(in), unescape(bytes, out));
	EXPECT_EQ(0, memcmp(in, out, sizeof(in)));
}

TEST(nothing_is_escaped_to_nothing)
{
	char bytes[8] = "x";
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));

	pt_text_escaped(&text, NULL, 0);
	EXPECT_EQ(0, text.length);
	EXPECT_FALSE(text.overflow);
}

/* ---- room ---- */

TEST(text_that_just_fits_does_not_overflow)
{
	struct room room = room_make(_metadata, 6);

	pt_text_string(&room.text, "12345");
	EXPECT_FALSE(room.text.overflow);
	EXPECT_EQ(5, room.text.length);
	EXPECT_STREQ("12345", room.bytes);
	free(room.bytes);
}

TEST(one_byte_more_is_dropped_and_remembered)
{
	struct room room = room_make(_metadata, 6);

	pt_text_string(&room.text, "123456");
	EXPECT_TRUE(room.text.overflow);
	EXPECT_EQ(5, room.text.length);
	EXPECT_STREQ("12345", room.bytes);
	free(room.bytes);
}

TEST(an_overflow_is_not_forgotten_by_what_follows)
{
	struct room room = room_make(_metadata, 4);

	pt_text_string(&room.text, "1234");
	pt_text_string(&room.text, "");
	pt_text_number(&room.text, 7);
	EXPECT_TRUE(room.text.overflow);
	EXPECT_STREQ("123", room.bytes);
	free(room.bytes);
}

TEST(there_is_always_a_final_nul_in_any_room)
{
	static const char all[] = "pid=18446744073709551615%00%ffff";
	size_t size;

	for (size = 1; size <= sizeof(all) + 1; size++) {
		struct room room = room_make(_metadata, size);

		pt_text_field(&room.text, "pid=", UINT64_MAX);
		pt_text_escaped(&room.text, "\0\xff", 2);
		pt_text_hex(&room.text, 0xff, 2);
		EXPECT_EQ(size < sizeof(all), room.text.overflow);
		EXPECT_EQ(MIN(size, sizeof(all)) - 1, room.text.length);
		EXPECT_EQ(0, room.bytes[room.text.length]);
		EXPECT_EQ(0, strncmp(all, room.bytes, room.text.length));
		free(room.bytes);
	}
}

TEST(no_room_at_all_is_an_overflow_and_no_write)
{
	char byte = '?';
	struct pt_text text = PT_TEXT(&byte, 0);

	pt_text_byte(&text, 'x');
	EXPECT_TRUE(text.overflow);
	EXPECT_EQ(0, text.length);
	EXPECT_EQ('?', byte);
}

TEST(bytes_are_written_with_any_nul_among_them)
{
	char bytes[8];
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));

	pt_text_bytes(&text, "a\0b", 3);
	EXPECT_EQ(3, text.length);
	EXPECT_EQ(0, memcmp("a\0b", bytes, 4));
}

TEST_HARNESS_MAIN
