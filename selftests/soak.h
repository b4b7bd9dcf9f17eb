/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What the processes of soak have in common: memory that hosts find again when
 * they have executed themselves, and how much of everything there was.
 */
#ifndef SOAK_H
#define SOAK_H

#include <pidtrack.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define HOSTS 2
#define MEMBERS 48   /* tracked at a time, of each host */
#define KIDS 8	     /* children that hosts do not give to their trackers */
#define STRANGERS 6  /* children of the driver, for each host */
#define THEFTS 65536 /* that are remembered */
#define IDS_MAX (UINT32_C(1) << 24)

/* Descriptors that hosts have. */
#define HOST_MEMORY 200
#define HOST_GATE 201 /* a pipe that ends with the driver */

/* What a process is to its host. */
enum kinds {
	LAUNCHED,
	STRANGE,  /* attached; the driver's child */
	OBSERVED, /* attached; a child that the host itself waits for */
	ADOPTED,  /* attached; an orphan that it was asked about */
};

/* In which way it ends, and by whose doing. */
enum ways {
	EXITS, /* of those the shim's own */
	RAISES,
	PAUSES,	 /* stops itself before, and goes on when told to */
	LITTERS, /* and leaves an orphan that has ended */
	FELLED,	 /* of these the host's: by one signal */
	CLIMBED, /* by a second, as it ignores the first */
	CATCHES, /* by a signal that it catches */
	GROUP,	 /* with its process group */
	TREE,
	CGROUP,
	WAYS
};

/* One that a host tracks. */
struct member {
	uint32_t id; /* 0: nobody */
	enum kinds kind;
	enum ways way;
	int32_t will; /* its status, as of wait(2) */
	int32_t pid;
	uint32_t peer;	 /* of STRANGE and OBSERVED: which it is */
	uint32_t thefts; /* that there were when it began */
	int64_t due_ms;	 /* when the host is to see to its end */
	bool kept;
	bool recorded;
	bool asked;  /* to end */
	bool exited; /* as was told */
	bool again;  /* and that was by a tracker before */
	char fingerprint[PIDTRACK_FINGERPRINT_MAX];
};

/* A child of a host's own, not given to its tracker. */
struct kid {
	int32_t pid; /* 0: nobody */
	int32_t will;
	uint32_t thefts;
	int64_t due_ms;	   /* when it is waited for, at the earliest */
	uint32_t observed; /* id of the member that it is, too; or 0 */
	bool cloned;	   /* without SIGCHLD */
	uint32_t image;	   /* executions before it */
};

struct stranger {
	_Atomic int32_t pid; /* 0: nobody */
	_Atomic int32_t will;
	_Atomic bool waits; /* for the host to stop it */
	_Atomic bool attached;
	_Atomic bool reaped;
	_Atomic bool told; /* to the host, or will never be */
};

struct theft {
	int32_t pid;
	int32_t status;
};

struct figures {
	/* what should be nothing */
	_Atomic uint32_t lost;
	_Atomic uint32_t doubled;
	_Atomic uint32_t wrong;	    /* statuses, verdicts */
	_Atomic uint32_t foreign;   /* children reaped that were not given */
	_Atomic uint32_t signalled; /* bystanders */
	_Atomic uint32_t left;	    /* files, mounts, zombies and the like */
	_Atomic uint32_t failed;    /* calls that should not */

	_Atomic uint32_t launched;
	_Atomic uint32_t refused; /* launches of what cannot be executed */
	_Atomic uint32_t told;
	_Atomic uint32_t stolen;
	_Atomic uint32_t recovered; /* statuses that others had taken */
	_Atomic uint32_t unknown;   /* that nobody can know */
	_Atomic uint32_t attached;
	_Atomic uint32_t stopped;
	_Atomic uint32_t escalated;
	_Atomic uint32_t released;
	_Atomic uint32_t kids;
	_Atomic uint32_t executed;
	_Atomic uint32_t cancelled; /* handoffs */
	_Atomic uint32_t renewed;   /* trackers, freed and made anew */
	_Atomic uint32_t pins;	    /* found again then */
	_Atomic uint32_t orphans;
	_Atomic uint32_t recorded;
	_Atomic uint32_t quiets;     /* times it was looked for what is left */
	_Atomic uint32_t fds[2];     /* fewest and most then */
	_Atomic int32_t bytes;	     /* allocated without a tracker, more than
					at first */
	_Atomic int32_t resident_kb; /* more than at the first look */
};

struct host_memory {
	uint32_t random;
	uint32_t ids;
	uint32_t policy;
	int32_t handoff; /* of the image before; or -1 */
	int32_t bystander;
	bool deaf;	  /* SIGCHLD is ignored */
	bool was_deaf;	  /* or was by the life before */
	int64_t quiet_ms; /* when all is to have ended next */
	struct member members[MEMBERS];
	struct kid kids[KIDS];
	_Atomic uint32_t n_thefts;
	struct theft thefts[THEFTS];
	struct figures figures;
	uint8_t seen[IDS_MAX / 8];     /* ids that were told */
	uint8_t released[IDS_MAX / 8]; /* ids that were */
};

struct soak {
	int64_t end_ms;
	int64_t round_ms; /* between two looks at what is left */
	bool tells;	  /* the kernel, how those of others end */
	bool pidfs;
	bool pins;
	char room[64];
	char cgroup[700]; /* or nothing */
	struct stranger strangers[HOSTS][STRANGERS];
	struct host_memory hosts[HOSTS];
};

extern struct soak *soak;
extern const char *soak_self;

int64_t soak_now_ms(void);
void soak_sleep_ms(long ms);
const char *soak_shim(void);
void soak_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How long anything may take. */
int64_t soak_patience_ms(void);

/* Whether there was each of what it is to do at once. */
bool soak_had_everything(void);

/* Starts the shim, with the gate for its standard input; its pid, or dies. */
pid_t soak_start(const char *const *words);

/* A host's life, from one execve(2) to the next. */
int soak_host(uint32_t number);

#endif
