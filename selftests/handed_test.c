/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* What goes over exec is what was there, or nothing. */
#include "handed.h"
#include "harness.h"
#include "lines.h"

/* With the sum that belongs to it. */
static int parse(const char *body, struct pt_handed_list *ret_list)
{
	char bytes[4096];
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));

	pt_text_string(&text, body);
	pt_lines_add_crc(&text);
	return pt_handed_parse(bytes, text.length, ret_list);
}

#define HEAD "pidtrack-handoff1\n"
#define HOST HEAD "host=us\n"
#define ONE HOST "process=7\nstate=1\n"

TEST(all_of_a_process_comes_back)
{
	struct pt_handed handed = {
		.fd = 7,
		.pid = 4711,
		.state = 2,
		.tell = 1,
		.source = 1,
		.status = 7 << 8,
		.steps_taken = 2,
		.steps_told = 1,
		.n_steps = 2,
		.steps = { { 15, 10000 }, { 9, 0 } },
		.label = (char *)"a b\n",
		.payload = (char *)"\0x",
		.payload_size = 2,
	};
	struct pt_handed_list list;
	char bytes[4096];
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));

	pt_handed_begin(&text, "us", 5);
	pt_handed_format(&text, &handed);
	pt_handed_end(&text);
	ASSERT_FALSE(text.overflow);
	ASSERT_EQ(0, pt_handed_parse(bytes, text.length, &list));
	EXPECT_STREQ("us", list.host);
	EXPECT_EQ(5, list.image);
	ASSERT_EQ(1, list.n);
	EXPECT_EQ(7, list.all[0].fd);
	EXPECT_EQ(4711, list.all[0].pid);
	EXPECT_EQ(7 << 8, list.all[0].status);
	ASSERT_EQ(2, list.all[0].n_steps);
	EXPECT_EQ(9, list.all[0].steps[1].signal);
	EXPECT_EQ(10000, list.all[0].steps[0].time_ms);
	EXPECT_STREQ("a b\n", list.all[0].label);
	ASSERT_EQ(2, list.all[0].payload_size);
	EXPECT_EQ(0, memcmp("\0x", list.all[0].payload, 2));
	pt_handed_done(&list);
	EXPECT_EQ(0, list.n);
}

TEST(what_is_no_handoff_of_ours_is_refused)
{
	static const char *const damaged[] = {
		"",
		"pidtrack-handoff\nhost=us\n",
		"pidtrack-handoff01\nhost=us\n",
		HEAD,
		HEAD "host=us\nhost=us\n",
		HEAD "host=a%00b\n",
		HEAD "host=%zz\n",
		HEAD "image=x\nhost=us\n",
		HOST "process=x\n",
		HOST "process=2147483648\nstate=1\n",
		HOST "process=7\n",
		HOST "process=7\nstate=5\n",
		ONE "tell=1\n",
		ONE "pid=-1\n",
		ONE "nonsense\n",
		ONE "label=a\nlabel=a\n",
		ONE "payload=a\npayload=a\n",
		ONE "payload=%zz\n",
		ONE "step=15\n",
		ONE "step=65:1\n",
		ONE "step=15:x\n",
		ONE "step=15:4294967296\n",
		ONE "step=15:1\n",
		ONE "steps_taken=1\n",
		ONE "step=15:1\nsteps_taken=1\nsteps_told=1\nsteps_told=2\n",
	};
	struct pt_handed_list list;
	size_t i;

	for (i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++)
		EXPECT_EQ(-EBADMSG, parse(damaged[i], &list))
		{
			TH_LOG("'%s'", damaged[i]);
		}
	EXPECT_EQ(-EBADMSG, pt_handed_parse("", 0, &list));
	EXPECT_EQ(-EBADMSG, pt_handed_parse(ONE, sizeof(ONE) - 1, &list));
}

TEST(there_are_no_more_than_sixteen_steps)
{
	char body[512] = ONE "steps_taken=1\nsteps_told=1\n";
	struct pt_handed_list list;

	for (int i = 0; i < PT_HANDED_STEPS_MAX; i++)
		strcat(body, "step=15:1\n");
	ASSERT_EQ(0, parse(body, &list));
	EXPECT_EQ(16, list.all[0].n_steps);
	pt_handed_done(&list);
	strcat(body, "step=15:1\n");
	EXPECT_EQ(-EBADMSG, parse(body, &list));
}

/* A later version adds keys, with '!' those that must be understood. */
TEST(what_a_later_version_adds_is_not_minded_unless_it_must_be)
{
	struct pt_handed_list list;

	ASSERT_EQ(0,
		  parse(HOST "more=1\nprocess=7\nstate=1\nother=x\n", &list));
	EXPECT_EQ(1, list.n);
	pt_handed_done(&list);
	EXPECT_EQ(-EPROTONOSUPPORT, parse(HOST "!more=1\n", &list));
	EXPECT_EQ(-EPROTONOSUPPORT, parse(ONE "!more=1\n", &list));
	EXPECT_EQ(-EPROTONOSUPPORT, parse("pidtrack-handoff2\n", &list));
}

TEST_HARNESS_MAIN
