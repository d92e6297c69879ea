/*
 * shim.h - a SQLite VFS that passes calls to the real one and fails those it was told to fail.
 *
 * Here: counting calls by kind; failing the k-th call, or all from the k-th on. Not here: what must
 * happen then (fault_test.c).
 */
#ifndef TESTS_SHIM_H
#define TESTS_SHIM_H

#include <stdbool.h>

enum shim_kind {
	SHIM_WRITE, /* writes some of its bytes before it fails */
	SHIM_SYNC,
	SHIM_READ,
	SHIM_TRUNCATE,
	SHIM_OPEN,
	SHIM_DELETE,
	SHIM_LOCK, /* taking a lock; releasing one never fails */
	SHIM_SHM,
	SHIM_KIND_COUNT
};

struct shim_fault {
	enum shim_kind kind;
	int k; /* the number of the call of its kind, from 1; 0: no call fails */
	int code;
	bool from_then_on;
	int missing; /* bytes that a failing write leaves unwritten at its end; 0: half of them */
	/* a failing sync reverts the writes since the last one, as the kernel may */
	bool forgets;
};

void shim_register(void); /* registers it once, as the default VFS */

/* Restarts the counts at 0 and sets the fault. */
void shim_arm(const struct shim_fault *fault);
void shim_disarm(void);

int shim_failed(void);               /* calls that failed since shim_arm */
int shim_calls(enum shim_kind kind); /* calls since shim_arm */

#endif
