// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * libuv, which launches by itself and watches no other's children.
 */
#include <uv.h>

#include "peer.h"

static uv_process_t processes[SLOTS];

static int begin(void)
{
	return uv_default_loop() ? 0 : UV_ENOMEM;
}

static void ended(uv_process_t *process, int64_t code, int signal)
{
	peer_ended((uint32_t)(process - processes),
		   signal ? signal : (int)code << 8);
	uv_close((uv_handle_t *)process, NULL);
}

static int launch(char *const *argv, uint32_t who)
{
	uv_process_options_t options = {
		.file = argv[0],
		.args = (char **)argv,
		.exit_cb = ended,
	};

	return uv_spawn(uv_default_loop(), &processes[who], &options);
}

static int turn(bool wait)
{
	uv_run(uv_default_loop(), wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct peer peer = {
		.begin = begin,
		.launch = launch,
		.turn = turn,
		.any_sigchld = true,
	};

	return peer_main(&peer, argc, argv);
}
