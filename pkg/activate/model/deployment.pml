/* A node and its deployments, as Promela: README.md says how this is read and
 * how it is tied to the code. The names in [brackets] are the code's.
 *
 * N deployments come in, each with a receiver (pre-receive, then git) and a
 * runner; whoever follows a dead one, or a boot, starts a recovery. Up to KILLS
 * processes are killed, up to CUTS times the power fails, up to SHUTS times
 * somebody shuts the machine down, up to ERRORS operations fail, each at any
 * moment. */

#ifndef N
#define N 2
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef CUTS
#define CUTS 1
#endif
#ifndef SHUTS
#define SHUTS 0
#endif
#ifndef ERRORS
#define ERRORS 1
#endif

#include "words.pml"
#include "seen.pml"
#include "activation.pml"
#include "refs.pml"
#include "runner.pml"
#include "receiver.pml"
#include "faults.pml"

init {
	atomic {
#if N == 1
		if :: bootsprofile = true :: skip fi;
		if
		:: failedlast = true; dirty = true /* the last deployment left a mess */
		:: running = OLD; current = OLD; belongs = OLD; branch = OLD /* the last was a test */
		:: skip
		fi;
#endif
		run worker(0); run receiver(0);
#if N > 1
		run worker(1); run receiver(1);
#endif
		run worker(RECOVERY); run world()
	}
}
