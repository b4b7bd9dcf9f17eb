/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* What table.c prints of lib/process.c; not to be edited. */
#define PT_STATE_RUNNING 1
#define PT_STATE_ZOMBIE 2
#define PT_STATE_OURS 3
#define PT_STATE_REAPED 4
#define PT_SEEN_STATUS 1
#define PT_SEEN_EXIT 2
#define PT_SEEN_REAP 3
#define PT_SEEN_STOLEN 4
#define PT_SEEN_ACK 5
#define PT_DO_EXITED 1
#define PT_DO_REAPED 2
#define PT_DO_REAP 4

inline after(saw)
{
	if
	:: state == PT_STATE_RUNNING && saw == PT_SEEN_STATUS ->
		state = PT_STATE_OURS; does = PT_DO_EXITED
	:: state == PT_STATE_RUNNING && saw == PT_SEEN_EXIT ->
		state = PT_STATE_ZOMBIE; does = PT_DO_EXITED
	:: state == PT_STATE_RUNNING && saw == PT_SEEN_REAP ->
		state = PT_STATE_REAPED; does = PT_DO_EXITED | PT_DO_REAPED
	:: state == PT_STATE_RUNNING && saw == PT_SEEN_STOLEN ->
		state = PT_STATE_REAPED; does = PT_DO_EXITED
	:: state == PT_STATE_RUNNING && saw == PT_SEEN_ACK ->
		state = PT_STATE_RUNNING; does = 0
	:: state == PT_STATE_ZOMBIE && saw == PT_SEEN_STATUS ->
		state = PT_STATE_OURS; does = PT_DO_REAPED
	:: state == PT_STATE_ZOMBIE && saw == PT_SEEN_EXIT ->
		state = PT_STATE_ZOMBIE; does = 0
	:: state == PT_STATE_ZOMBIE && saw == PT_SEEN_REAP ->
		state = PT_STATE_REAPED; does = PT_DO_REAPED
	:: state == PT_STATE_ZOMBIE && saw == PT_SEEN_STOLEN ->
		state = PT_STATE_REAPED; does = PT_DO_REAPED
	:: state == PT_STATE_ZOMBIE && saw == PT_SEEN_ACK ->
		state = PT_STATE_ZOMBIE; does = 0
	:: state == PT_STATE_OURS && saw == PT_SEEN_STATUS ->
		state = PT_STATE_OURS; does = 0
	:: state == PT_STATE_OURS && saw == PT_SEEN_EXIT ->
		state = PT_STATE_OURS; does = 0
	:: state == PT_STATE_OURS && saw == PT_SEEN_REAP ->
		state = PT_STATE_OURS; does = 0
	:: state == PT_STATE_OURS && saw == PT_SEEN_STOLEN ->
		state = PT_STATE_OURS; does = 0
	:: state == PT_STATE_OURS && saw == PT_SEEN_ACK ->
		state = PT_STATE_REAPED; does = PT_DO_REAP
	:: state == PT_STATE_REAPED && saw == PT_SEEN_STATUS ->
		state = PT_STATE_REAPED; does = 0
	:: state == PT_STATE_REAPED && saw == PT_SEEN_EXIT ->
		state = PT_STATE_REAPED; does = 0
	:: state == PT_STATE_REAPED && saw == PT_SEEN_REAP ->
		state = PT_STATE_REAPED; does = 0
	:: state == PT_STATE_REAPED && saw == PT_SEEN_STOLEN ->
		state = PT_STATE_REAPED; does = 0
	:: state == PT_STATE_REAPED && saw == PT_SEEN_ACK ->
		state = PT_STATE_REAPED; does = 0
	fi
}
