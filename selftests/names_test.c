/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Names that are found again, whatever came and went between. */
#include "harness.h"
#include "names.h"

static const char *name_of(int i)
{
	static char name[32];

	snprintf(name, sizeof(name), "box-%d.record", i);
	return name;
}

TEST(none_has_none)
{
	struct pt_names names = { 0 };

	EXPECT_NULL(pt_names_find(&names, "a"));
	EXPECT_EQ(0, names.count);
	pt_names_done(&names);
}

TEST(each_is_found_with_what_was_told_of_it)
{
	struct pt_names names = { 0 };
	int i;

	for (i = 0; i < 10000; i++) {
		ASSERT_NULL(pt_names_find(&names, name_of(i)));
		ASSERT_TRUE(pt_names_add(&names, name_of(i)) != NULL);
		pt_names_find(&names, name_of(i))->told = i;
	}
	EXPECT_EQ(10000, names.count);
	EXPECT_LE(names.size, 16384);
	for (i = 0; i < 10000; i++) {
		struct pt_name *name = pt_names_find(&names, name_of(i));

		ASSERT_TRUE(name != NULL);
		ASSERT_STREQ(name_of(i), name->text);
		ASSERT_EQ(i, name->told);
	}
	pt_names_done(&names);
	EXPECT_EQ(0, names.count);
}

/* Against an array: every gap that is closed, also over the end. */
TEST(what_is_removed_leaves_no_gap_in_the_way)
{
	static bool there[300];
	struct pt_names names = { 0 };
	unsigned int dice = 4711;
	int round, i;

	for (round = 0; round < 20000; round++) {
		struct pt_name *name;

		dice = dice * 1103515245 + 12345;
		i = (dice >> 8) % 300;
		name = pt_names_find(&names, name_of(i));
		ASSERT_EQ(there[i], name != NULL);
		if (name)
			pt_names_remove(&names, name);
		else
			ASSERT_TRUE(pt_names_add(&names, name_of(i)) != NULL);
		there[i] = !there[i];
		if (round % 100)
			continue;
		for (i = 0; i < 300; i++) {
			name = pt_names_find(&names, name_of(i));
			ASSERT_EQ(there[i], name != NULL);
		}
	}
	pt_names_done(&names);
}

TEST_HARNESS_MAIN
