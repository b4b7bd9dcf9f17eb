// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What benchmarks launch: exits at once, with the code it was given; without
 * one it stays, until it is killed.
 */
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc == 1)
		for (;;)
			pause();
	_exit(argc > 1 ? atoi(argv[1]) : 0);
}
