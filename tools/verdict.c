/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "verdict.h"

#include <stdio.h>

#include "command.h"

/* The evidences used, each a bit, from the lowest. */
static void print_evidence(uint32_t evidence, struct json *json)
{
	const char *separator = "";

	for (uint32_t bit = 1; bit && bit <= evidence; bit <<= 1) {
		if (!(evidence & bit))
			continue;
		if (json)
			json_item(json, pidtrack_evidence_name(bit));
		else
			printf("%s%s", separator, pidtrack_evidence_name(bit));
		separator = ", ";
	}
}

void verdict_print(const struct pidtrack_comparison *comparison)
{
	printf("%s: %s (compared: ", pidtrack_verdict_name(comparison->verdict),
	       comparison->reason);
	print_evidence(comparison->evidence, NULL);
	printf("%s", comparison->evidence ? ")" : "nothing)");
}

void verdict_json(const struct pidtrack_comparison *comparison,
		  struct json *json)
{
	json_string(json, "verdict",
		    pidtrack_verdict_name(comparison->verdict));
	json_list_begin(json, "evidence");
	print_evidence(comparison->evidence, json);
	json_list_end(json);
	json_string(json, "reason", comparison->reason);
}

int verdict_exit_code(uint32_t verdict)
{
	switch (verdict) {
	case PIDTRACK_VERDICT_SAME:
		return EXIT_AS_ASKED;
	case PIDTRACK_VERDICT_UNPROVEN:
		return EXIT_UNTOLD;
	default:
		return EXIT_NO;
	}
}
