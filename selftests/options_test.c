/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Options structs that may grow: by the rule of the kernel's copy_struct. */
#include "harness.h"
#include "options.h"

/* What the library knows today; it had only the first two at first. */
struct known {
	uint32_t size;
	uint32_t flags;
	uint64_t added;
};

#define FIRST offsetofend(struct known, flags)

/* A caller's, of tomorrow. */
struct future {
	struct known known;
	unsigned char tail[24];
};

static int take(struct known *ret_known, const void *src, size_t src_size)
{
	return pt_options_copy(ret_known, sizeof(*ret_known), src, src_size,
			       FIRST);
}

TEST(options_of_our_size_are_copied_whole)
{
	struct known src = { .size = 16, .flags = 3, .added = UINT64_MAX };
	struct known dst;

	ASSERT_EQ(0, take(&dst, &src, sizeof(src)));
	EXPECT_EQ(0, memcmp(&src, &dst, sizeof(dst)));
}

TEST(what_an_older_caller_lacks_reads_as_zero)
{
	struct known src = { .size = FIRST, .flags = 3, .added = 77 };
	struct known dst;

	memset(&dst, 0xff, sizeof(dst));
	ASSERT_EQ(0, take(&dst, &src, FIRST));
	EXPECT_EQ(FIRST, dst.size);
	EXPECT_EQ(3, dst.flags);
	EXPECT_EQ(0, dst.added);
}

TEST(every_size_between_the_first_and_ours_is_taken)
{
	struct known src;
	struct known dst;
	size_t size;

	memset(&src, 0xff, sizeof(src));
	for (size = FIRST; size <= sizeof(src); size++) {
		const unsigned char *bytes = (const unsigned char *)&dst;
		size_t i;

		ASSERT_EQ(0, take(&dst, &src, size));
		for (i = 0; i < sizeof(dst); i++)
			EXPECT_EQ(i < size ? 0xff : 0, bytes[i]);
	}
}

TEST(every_size_below_the_first_is_refused)
{
	struct known src = { .size = 16, .flags = 3 };
	struct known dst;
	size_t size;

	for (size = 0; size < FIRST; size++)
		EXPECT_EQ(-EINVAL, take(&dst, &src, size));
}

TEST(a_later_caller_that_asks_for_nothing_new_is_taken)
{
	struct future src = { .known = { .size = sizeof(src), .added = 5 } };
	struct known dst;
	size_t size;

	for (size = sizeof(src.known); size <= sizeof(src); size++) {
		memset(&dst, 0xff, sizeof(dst));
		ASSERT_EQ(0, take(&dst, &src, size));
		EXPECT_EQ(0, memcmp(&src.known, &dst, sizeof(dst)));
	}
}

TEST(any_byte_of_what_we_do_not_know_is_too_big)
{
	struct known dst;
	size_t i, size;

	for (i = 0; i < sizeof(((struct future *)0)->tail); i++) {
		struct future src = { .known = { .size = sizeof(src) } };

		src.tail[i] = 0x80;
		for (size = sizeof(dst); size <= sizeof(src); size++)
			EXPECT_EQ(size > sizeof(dst) + i ? -E2BIG : 0,
				  take(&dst, &src, size));
	}
}

TEST(a_refusal_writes_nothing)
{
	struct future src = { .known = { .size = sizeof(src), .flags = 1 },
			      .tail = { 1 } };
	struct known dst, before;

	memset(&dst, 0x5a, sizeof(dst));
	before = dst;
	EXPECT_EQ(-E2BIG, take(&dst, &src, sizeof(src)));
	EXPECT_EQ(0, memcmp(&before, &dst, sizeof(dst)));
	EXPECT_EQ(-EINVAL, take(&dst, &src, FIRST - 1));
	EXPECT_EQ(0, memcmp(&before, &dst, sizeof(dst)));
}

/* In memory of exactly that size, so that a sanitizer sees one byte more. */
TEST(no_byte_beyond_the_given_size_is_read)
{
	struct known dst;
	size_t size;

	for (size = FIRST; size <= sizeof(struct future); size++) {
		void *src = calloc(1, size);

		ASSERT_NE(NULL, src);
		EXPECT_EQ(0, take(&dst, src, size));
		free(src);
	}
}

TEST(a_caller_of_our_size_is_given_all)
{
	struct known src = { .size = 1, .flags = 2, .added = 3 };
	struct known dst;

	pt_options_give(&dst, sizeof(dst), &src, sizeof(src));
	EXPECT_EQ(0, memcmp(&src, &dst, sizeof(dst)));
}

TEST(a_caller_with_less_room_is_given_the_beginning)
{
	struct known src;
	size_t size;

	memset(&src, 0xff, sizeof(src));
	for (size = 0; size <= sizeof(src); size++) {
		unsigned char dst[sizeof(src) + 1] = { 0 };
		size_t i;

		pt_options_give(dst, size, &src, sizeof(src));
		for (i = 0; i < sizeof(dst); i++)
			EXPECT_EQ(i < size ? 0xff : 0, dst[i]);
	}
}

TEST(a_caller_with_more_room_finds_zero_there)
{
	struct known src = { .size = 1, .flags = 2, .added = 3 };
	struct {
		struct future future;
		unsigned char guard;
	} dst;
	size_t i;

	memset(&dst, 0xff, sizeof(dst));
	pt_options_give(&dst, sizeof(dst.future), &src, sizeof(src));
	EXPECT_EQ(0, memcmp(&src, &dst.future.known, sizeof(src)));
	for (i = 0; i < sizeof(dst.future.tail); i++)
		EXPECT_EQ(0, dst.future.tail[i]);
	EXPECT_EQ(0xff, dst.guard);
}

TEST_HARNESS_MAIN
