/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * pidtrack features: what works here, what is missing, and what that costs.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "arguments.h"
#include "complain.h"
#include "format.h"
#include "json.h"
#include "nearest.h"
#include "output.h"
#include "owned.h"

struct features {
	bool json;
	uint64_t required; /* bit n: feature n */
};

static int set_json(void *to, const char *value)
{
	((struct features *)to)->json = true;
	return 0;
}

static int set_require(void *to, const char *value)
{
	struct features *features = to;
	struct nearest nearest = { .word = value };
	const char *name;

	for (uint32_t i = 0; (name = pidtrack_feature_name(i)); i++) {
		if (strcmp(name, value) == 0) {
			features->required |= UINT64_C(1) << i;
			return 0;
		}
		nearest_consider(&nearest, name);
	}
	if (nearest.best)
		return complain_usage("no feature '%s'; did you mean '%s'?",
				      value, nearest.best);
	return complain_usage("no feature '%s'; 'pidtrack features' lists them",
			      value);
}

static const struct command_option options[] = {
	{ "require", "NAME", "exit with 1 unless it works; may be repeated",
	  set_require },
	{ "json", NULL, "one JSON object a line", set_json },
	{ 0 },
};

static void print_json(uint32_t feature, int error)
{
	struct json object;

	json_begin(&object);
	json_string(&object, "feature", pidtrack_feature_name(feature));
	json_bool(&object, "works", error == 0);
	json_string(&object, "linux", pidtrack_feature_linux(feature));
	json_string(&object, "error", error ? strerrorname_np(-error) : NULL);
	json_string(&object, "message", error ? strerror(-error) : NULL);
	json_string(&object, "loss", pidtrack_feature_loss(feature));
	json_end(&object);
}

static void print_line(uint32_t feature, int error)
{
	const char *name = strerrorname_np(-error);

	if (!error) {
		printf("%-19s %-5s  %s\n", pidtrack_feature_name(feature),
		       "yes", pidtrack_feature_linux(feature));
		return;
	}
	printf("%-19s %-5s  %-5s  %s (%s): %s\n",
	       pidtrack_feature_name(feature), "no",
	       pidtrack_feature_linux(feature), name ? name : "?",
	       strerror(-error), pidtrack_feature_loss(feature));
}

/* "clone3 (ENOSYS), ring (EPERM)", of those that are required. */
struct missing {
	char names[512];
	size_t n; /* bytes of these */
};

static void note_missing(struct missing *missing, uint32_t feature, int error)
{
	const char *name = strerrorname_np(-error);

	missing->n += format_text(missing->names + missing->n,
				  sizeof(missing->names) - missing->n,
				  "%s%s (%s)", missing->n ? ", " : "",
				  pidtrack_feature_name(feature),
				  name ? name : "?");
}

static void print_all(const struct features *features, struct missing *missing)
{
	if (!features->json)
		printf("%-19s %-5s  %-5s  %s\n", "FEATURE", "WORKS", "LINUX",
		       "WHY NOT, AND WHAT IS LOST");
	for (uint32_t i = 0; pidtrack_feature_name(i); i++) {
		int error = pidtrack_feature_probe(i);

		if (error && features->required & UINT64_C(1) << i)
			note_missing(missing, i, error);
		if (features->json)
			print_json(i, error);
		else
			print_line(i, error);
	}
}

static int features_run(int argc, char **argv)
{
	struct features features = { 0 };
	struct missing missing = { 0 };
	int r;

	r = arguments_parse(&command_features, &features, &argc, &argv);
	if (r != ARGUMENTS_FINE)
		return r;
	if (argc > 0)
		return complain_usage("'%s' is too much; to ask for a feature: "
				      "--require NAME",
				      argv[0]);

	output_begin();
	print_all(&features, &missing);
	if (missing.n)
		complain("missing: %s", missing.names);
	return output_finish(missing.n ? EXIT_NO : EXIT_AS_ASKED);
}

const struct command command_features = {
	.name = "features",
	.operands = "",
	.purpose = "Tries what this kernel and this sandbox give",
	.more = "Each is tried, none is concluded from a version.\n"
		"\n"
		"Exits with 0, whatever is missing; 1 if a NAME of\n"
		"--require is, which is told on standard error; 2 for a\n"
		"wrong command line, 4 for a failure.\n",
	.options = options,
	.run = features_run,
};
