/* A node and its deployments, as Promela: README.md says how this is read and
 * how it is tied to the code. The names in [brackets] are the code's.
 *
 * N deployments come in, each with a receiver (pre-receive, then git) and a
 * runner; whoever follows a dead one, or a boot, starts a recovery. Up to KILLS
 * processes are killed, up to CUTS times the power fails, up to ERRORS
 * operations fail, each at any moment. */

#ifndef N
#define N 2
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef CUTS
#define CUTS 1
#endif
#ifndef ERRORS
#define ERRORS 1
#endif

/* UNLIMITED: as many as there can be. Nothing need end then. */
#ifdef UNLIMITED
#define COUNT 0
#else
#define COUNT 1
#endif
#define CANKILL (COUNT == 0 || kills < KILLS)
#define CANCUT (COUNT == 0 || cuts < CUTS)
#define CANFAIL (COUNT == 0 || errors < ERRORS)

/* [activate.Phase]; NONE: there is no state.json */
#define NONE 0
#define BEGUN 1
#define SWITCHING 2
#define ARMING 3
#define REBOOTING 4
#define BOOTING 5
#define CHECKING 6
#define CONFIRMING 7
#define COMMITTING 8
#define ROLLINGBACK 9
#define GOINGBACK 10
#define RETURNED 11
#define FINISHED 12

/* [event.Outcome] */
#define SUCCEEDED 1
#define FAILED 2
#define ROLLEDBACK 3
#define INTERRUPTED 4
#define ROLLBACKFAILED 5
#define SUPERSEDED 6
#define LOCKED 7

/* [activate.Action] */
#define SWITCH 1
#define BOOT 2
#define TEST 3
#define REBOOT 4
#define ROLLBACK 5

/* what an activation does to the machine [activate.Machine] */
#define SWITCHTEST 0
#define SETPROFILE 1
#define SWITCHBOOT 2
#define ARM 3
#define DISARM 4
#define READY 5
#define HEALTHY 6
#define RESET 7
#define REACHED 8
#define CONFIRMED 9
#define RESTART 10
#define BOOTED 11

/* A commit is the system that it becomes. OLD and NOW have been deployed; the
 * commit of deployment i is PUSHED + i. */
#define OLD 1
#define NOW 2
#define PUSHED 3

/* who holds a lock: nobody, the receiver of i, the runner of i, the recovery */
#define NOBODY 0
#define RECEIVER(i) (1 + (i))
#define WORKER(w) (1 + N + (w))
#define RECOVERY N

typedef Deployment {
	byte action; bool again;        /* 0: there is none; again: no push, but the tip once more */
	bool confirm;
	byte commit, before;            /* before [Job.BranchBefore] */
	bool job;                       /* job.json is there */
	bool receiving;                 /* git will move the branch, or dies */
	bool running;                   /* its runner was started and lives */
	byte lock;                      /* [DeploymentLock] */
	bool reactivate;
	byte phase; bool live, boot, trial, turned, interrupted, once; /* state.json [activate.State] */
	byte prev, prevBoot, result;
	bool rebooted;                  /* since state.json was written */
	byte recorded;                  /* the outcome in refs/deploy/log, and how often */
	bool moved;                     /* the branch was at its commit */
	bool kept;                      /* refs/deploy/failed/ID */
	byte records, outcomes;         /* entries in the log, events Finished */
};
Deployment d[N];

/* git: durable */
byte branch = NOW, current = NOW, bootref = NOW, belongs = NOW; /* belongs [RefBranch] */
byte entries;           /* in the log */
bool failedlast;        /* the newest entry is ROLLBACKFAILED */
byte good = (1 << OLD) | (1 << NOW); /* commits deployed with success */

/* the machine */
byte profile = NOW, loader = NOW; /* durable */
bool bootsprofile;                /* what the machine boots: the profile, or what the loader was told */
byte running = NOW; bool whole = true; /* lost with the power */
byte armed;             /* durable: what the next boot boots, if it comes up */
bool bootsonce;         /* the boot loader can do that */
bool goingdown;         /* a restart was asked for */
byte allowed = 1 << NOW;          /* may boot: was the default, or was confirmed, or was asked for */
bool booted;                      /* and nobody has looked after that yet */

byte nodelock;          /* [statedir.Layout.LockFile] */
byte refslock;          /* [Node.lockRefs]: for the instant of looking at refs and moving them */
bool recovering;
bool dead[N + 1], cutoff[N]; /* the process was killed: it takes no further step */
bool pinned;            /* the last that succeeded was a rollback */
bool dirty;             /* a rollback failed, and nothing has succeeded since: nothing is promised */
byte kills, cuts, errors;

#define BOOTS (bootsprofile -> profile : loader)
#define MAYBOOT(s) ((allowed >> (s)) & 1)
#define PINNED (current != belongs && bootref != belongs)
#define SYS (d[t].commit)
#define UNCHANGED (d[t].prev == SYS && !d[t].reactivate)
#define ACTION (turned -> BOOT : d[t].action)
#define MOVESBOOT (ACTION != TEST && (ACTION == BOOT || d[t].prevBoot != SYS || live))
#define TRIALMOVES (!d[t].once && d[t].prevBoot != SYS)

/* Every transition, operation and record that the search comes across is
 * printed, once: the tables beside this file. */
c_decl {
	\#include <stdio.h>
	static unsigned char seen_go[3][6][13][32][13][32][8], seen_do[13][12][2], seen_record[6][8][4];
	static char *phases[] = {"none", "begun", "switching", "arming", "rebooting", "booting", "checking", "confirming", "committing",
		"rolling-back", "going-back", "returned", "finished"};
	static char *outcomes[] = {"", "succeeded", "failed", "rolled-back", "interrupted", "rollback-failed", "superseded", "locked"};
	static char *actions[] = {"", "switch", "boot", "test", "reboot", "rollback"};
	static char *ops[] = {"switch-test", "set-profile", "switch-boot", "arm", "disarm", "ready", "healthy", "reset-confirmation",
		"reached", "confirmed", "reboot", "booted"};
	static char *causes[] = {"", " died", " rebooted"};
	static void flags(int f) {
		printf("%s%s%s%s%s", f & 1 ? "+live" : "", f & 2 ? "+boot" : "", f & 4 ? "+trial" : "", f & 8 ? "+turned" : "", f & 16 ? "+interrupted" : "");
	}
	static void saw_go(int a, int p, int f, int np, int nf, int o, int cause) {
		if (seen_go[cause][a][p][f][np][nf][o]++) { seen_go[cause][a][p][f][np][nf][o] = 1; return; }
		printf("go %s: %s", actions[a], phases[p]); flags(f);
		printf(" -> %s", phases[np]); flags(nf);
		printf("%s%s%s\n", o ? " " : "", outcomes[o], causes[cause]);
	}
	static void saw_do(int p, int op, int isnew) {
		if (op > 2) isnew = 0;
		if (seen_do[p][op][isnew]) return;
		seen_do[p][op][isnew] = 1;
		printf("do %s: %s%s\n", phases[p], ops[op], op > 2 ? "" : isnew ? " new" : " old");
	}
	static void saw_record(int a, int o, int branch, int back) {
		if (seen_record[a][o][branch * 2 + back]) return;
		seen_record[a][o][branch * 2 + back] = 1;
		int put = a != 5 && !back && o != 1 && (o != 6 || branch);
		printf("record %s %s%s%s:%s%s%s%s%s\n", actions[a], outcomes[o], branch ? " on-branch" : "", back ? " belongs" : "",
			o == 1 && a != 2 ? " current" : "", o == 1 && a != 3 ? " boot" : "", o == 1 && a != 5 ? " branch" : "",
			put ? " failed" : "", put && branch ? " back" : "");
	}
}

#ifdef FEW
#define ALLKINDS false
#else
#define ALLKINDS (N == 1)
#endif

/* With several deployments an activation is killed between its phases only;
 * every moment within one is looked at with N == 1. */
#if N > 1
#define PHASE atomic
#else
#define PHASE
#endif

/* ---- activation [machine.go, phases.go, rollback.go]; the worker's memory is p, live, boot, trial, turned, interrupted ---- */

/* save [run.save]: the state, with the flags tl..ti, becomes durable, or that
 * fails (err). cause: the runner died (1), the machine was restarted (2) */
inline keep() { tl = live; tb = boot; tt = trial; tu = turned; ti = interrupted }
inline save(np, o, cause) {
	to = np; out = o; why = cause; nf = tl + 2 * tb + 4 * tt + 8 * tu + 16 * ti;
	c_code { saw_go(now.d[Pworker->t].action, Pworker->fp, Pworker->ff, Pworker->to, Pworker->nf, Pworker->out, Pworker->why); }
	if
	:: err = false; d[t].phase = to; d[t].live = tl; d[t].boot = tb; d[t].trial = tt; d[t].turned = tu; d[t].interrupted = ti; d[t].result = out; d[t].rebooted = false
	:: CANFAIL -> errors = errors + COUNT; err = true
	fi;
	if
	:: !err || to == ROLLINGBACK || to == FINISHED || why -> p = to; live = tl; boot = tb; trial = tt; turned = tu; interrupted = ti; fp = to; ff = nf
	:: else
	fi;
	to = 0; tl = 0; tb = 0; tt = 0; tu = 0; ti = 0; out = 0; why = 0; nf = 0
}

/* enter [run.enter]: what will be touched is saved before it is touched */
#ifdef MUTATION_BOOT_NOT_SAVED
#define TOUCHESBOOT(np) false
#else
#define TOUCHESBOOT(np) ((np) == COMMITTING && MOVESBOOT || (np) == ARMING && TRIALMOVES)
#endif
inline enter(np) {
	atomic { keep(); tl = live || (np) == SWITCHING; tt = trial || (np) == ARMING; tb = boot || TOUCHESBOOT(np); save(np, 0, 0) }
}
inline finish(o) { atomic { keep(); save(FINISHED, o, 0); err = false; res = o; ract = ACTION } }

inline does(op, sys) {
	to = op; tb = (sys == SYS);
	c_code { saw_do(Pworker->fp, Pworker->to, Pworker->tb); };
	to = 0; tb = 0
}

#define MAYFAIL CANFAIL -> errors = errors + COUNT; err = true

/* a call that changes nothing, and may fail */
inline calls(op) { atomic { does(op, 0); if :: err = false :: MAYFAIL fi } }
/* whose answer is not in our hands */
inline asks(op) { atomic { does(op, 0); if :: err = false :: err = true fi } }

inline switchtest(sys) {
	atomic { does(SWITCHTEST, sys);
		if
		:: err = false; running = sys; whole = false
		:: MAYFAIL
		fi };
	if
	:: atomic { !err -> whole = true }
	:: atomic { !err && CANFAIL -> errors = errors + COUNT; err = true }
	:: err
	fi
}

inline setboot(sys) {
	atomic { does(SETPROFILE, sys); profile = sys; assert(MAYBOOT(BOOTS)); err = false };
	if
	:: atomic { does(SWITCHBOOT, sys); loader = sys; assert(MAYBOOT(BOOTS)) }
	:: atomic { MAYFAIL }
	fi;
	if
	:: !err
	:: atomic { !err && CANFAIL -> errors = errors + COUNT; err = true }
	:: err
	fi
}

/* restart [run.restart]: the machine goes down, or does not */
inline restart() {
	atomic { does(RESTART, 0);
		if
		:: goingdown = true
		:: MAYFAIL
		fi };
	if
	:: goingdown -> false /* ended by that */
	:: else
	fi
}

inline prove() { allowed = allowed | (1 << SYS) }

/* resume [run.resume]: where to go on after a crash */
inline resume() {
	atomic {
		fp = d[t].phase; turned = d[t].turned; /* for ACTION */
		ff = d[t].live + 2 * d[t].boot + 4 * d[t].trial + 8 * d[t].turned + 16 * d[t].interrupted;
		tl = d[t].live; tb = d[t].boot; tt = d[t].trial; tu = d[t].turned; ti = d[t].interrupted;
		if
		:: d[t].rebooted -> tl = (running == SYS && running != d[t].prev && !tt)
		:: else
		fi;
		if
		:: fp == ROLLINGBACK || fp == RETURNED || fp == GOINGBACK && !d[t].rebooted -> p = fp
		:: fp == GOINGBACK && d[t].rebooted -> p = RETURNED
		:: (fp == ARMING || fp == REBOOTING) && d[t].rebooted && running == SYS -> p = BOOTING
		:: fp == REBOOTING && d[t].rebooted && running != SYS -> p = ROLLINGBACK
		:: fp == COMMITTING && running == SYS && (ACTION != BOOT || d[t].rebooted) -> p = COMMITTING
		:: else -> p = ROLLINGBACK; ti = true
		fi;
		save(p, 0, 1 + d[t].rebooted)
	}
}

/* activate [Run, Settle, run.loop]: comes to the outcome res, of the action ract */
inline activate() {
	if
	:: atomic { d[t].phase == NONE && t == me -> /* Run */
		d[t].prev = running; d[t].prevBoot = profile;
		if
		:: d[t].reactivate && running == SYS -> d[t].prev = profile
		:: else
		fi;
		d[t].once = bootsonce && d[t].action == REBOOT && d[t].prevBoot != SYS;
		fp = NONE; ff = 0; p = NONE };
		atomic {
			if
			:: MAYFAIL
			:: save(BEGUN, 0, 0)
			fi;
			if
			:: err -> finish(FAILED)
			:: else
			fi
		}
	:: atomic { d[t].phase == NONE && t != me -> fp = NONE; ff = 0; p = NONE; keep(); save(FINISHED, INTERRUPTED, 1); err = false; res = INTERRUPTED; ract = d[t].action }
	:: atomic { d[t].phase == FINISHED -> p = FINISHED; res = d[t].result; turned = d[t].turned; ract = ACTION }
	:: d[t].phase != NONE && d[t].phase != FINISHED ->
		if
		:: atomic { resume();
			if
			:: err -> finish(ROLLBACKFAILED)
			:: else
			fi }
		:: atomic { CANFAIL -> errors = errors + COUNT; /* the machine cannot be examined */
			fp = d[t].phase; ff = d[t].live + 2 * d[t].boot + 4 * d[t].trial + 8 * d[t].turned + 16 * d[t].interrupted;
			tl = d[t].live; tb = d[t].boot; tt = d[t].trial; tu = d[t].turned; ti = d[t].interrupted;
			save(FINISHED, ROLLBACKFAILED, 1 + d[t].rebooted); err = false; res = ROLLBACKFAILED; ract = ACTION }
		:: atomic { CANFAIL -> errors = errors + COUNT; /* the state cannot be read */
			fp = NONE; ff = 0; ti = true; save(FINISHED, ROLLBACKFAILED, 1); err = false; res = ROLLBACKFAILED; ract = ACTION }
		fi
	fi;
	do
	:: p == FINISHED -> break
	:: p == ROLLINGBACK -> PHASE {
		berr = false; lerr = false; back = false; err = false;
		if /* putBackBoot */
		:: trial && d[t].once && !boot -> atomic { does(DISARM, 0); if :: armed = 0 :: MAYFAIL; berr = true fi }
		:: !(trial && d[t].once && !boot) && boot && d[t].prevBoot != SYS -> setboot(d[t].prevBoot); berr = err
		:: else
		fi;
		back = (trial && SYS != d[t].prev && running == SYS); /* trialRuns */
		if
		:: atomic { trial && CANFAIL -> errors = errors + COUNT; berr = true; back = false } /* that cannot be told */
		:: live -> switchtest(d[t].prev);
			if
			:: err -> lerr = true
			:: else -> calls(HEALTHY); lerr = err
			fi
		:: !live
		fi;
		atomic {
			err = false;
			if
			:: !berr && lerr && d[t].prevBoot != SYS -> back = true; lerr = false /* [RebootOnFailedRollback] */
			:: true
			fi;
			if
			:: !berr && !lerr && !back && interrupted -> finish(INTERRUPTED)
			:: !berr && !lerr && !back && !interrupted -> finish(ROLLEDBACK)
			:: !berr && !lerr && back -> enter(GOINGBACK); if :: err -> finish(ROLLBACKFAILED) :: else fi
			:: else -> finish(ROLLBACKFAILED)
			fi;
			berr = false; lerr = false; back = false
		} }
	:: p == GOINGBACK -> restart();
		atomic { err -> finish(ROLLBACKFAILED) }
	:: p == RETURNED -> PHASE {
		err = (running != d[t].prev && running != d[t].prevBoot);
		if :: !err -> calls(BOOTED) :: else fi;
		if :: !err -> calls(HEALTHY) :: else fi;
		atomic {
			if
			:: err -> finish(ROLLBACKFAILED)
			:: !err && interrupted -> finish(INTERRUPTED)
			:: else -> finish(ROLLEDBACK)
			fi } }
	:: p == NONE -> assert(false)
	:: p == REBOOTING -> restart();
		atomic { err -> keep(); save(ROLLINGBACK, 0, 0); err = false }
	:: p > NONE && p < ROLLINGBACK && p != REBOOTING -> PHASE {
		err = false;
		if
		:: p == BEGUN ->
			if
			:: d[t].action != ROLLBACK -> asks(READY)
			:: else
			fi;
			if
			:: err
			:: !err && d[t].action == BOOT -> enter(COMMITTING)
			:: !err && d[t].action == REBOOT -> enter(ARMING)
			:: !err && d[t].action != BOOT && d[t].action != REBOOT && UNCHANGED -> enter(CHECKING)
			:: !err && d[t].action != BOOT && d[t].action != REBOOT && !UNCHANGED -> enter(SWITCHING)
			fi
		:: p == SWITCHING ->
			if
			:: switchtest(SYS);
				if
				:: !err -> enter(CHECKING)
				:: else
				fi
			:: atomic { ALLKINDS && running == d[t].prev && running != SYS -> does(SWITCHTEST, SYS); /* it says that only a reboot gets there [untouched] */
				live = false;
				if
				:: d[t].action == SWITCH -> turned = true; prove() /* as if asked for */; enter(COMMITTING)
				:: else -> err = true
				fi }
			fi
		:: p == ARMING ->
			if
			:: d[t].once -> atomic { does(ARM, 0); armed = SYS };
				if :: skip :: atomic { MAYFAIL } fi
			:: TRIALMOVES -> prove(); setboot(SYS)
			:: else
			fi;
			if
			:: !err -> enter(REBOOTING)
			:: else
			fi
		:: p == BOOTING -> calls(BOOTED);
			if
			:: !err -> enter(CHECKING)
			:: else
			fi
		:: p == CHECKING ->
			atomic { asks(HEALTHY); if :: !err && !d[t].confirm -> prove() :: else fi };
			if
#ifdef MUTATION_BOOT_BEFORE_CONFIRMATION
			:: !err -> enter(COMMITTING)
#else
			:: !err && d[t].confirm && (live || MOVESBOOT) -> calls(RESET);
				if
				:: !err -> enter(CONFIRMING)
				:: else
				fi
			:: !err && !(d[t].confirm && (live || MOVESBOOT)) -> enter(COMMITTING)
#endif
			:: else
			fi
		:: p == CONFIRMING ->
			if
			:: asks(REACHED) /* who has checks to do from outside says so first */
			:: skip
			fi;
			if
			:: !err -> atomic { asks(CONFIRMED); if :: !err -> prove() :: else fi }
			:: else
			fi;
			if
			:: !err -> enter(COMMITTING)
			:: else
			fi
		:: p == COMMITTING ->
			if
			:: MOVESBOOT -> setboot(SYS)
			:: else
			fi;
			if
			:: !err -> finish(SUCCEEDED)
			:: else
			fi
		fi;
		atomic {
			if
			:: err && !live && !boot && !trial -> finish(FAILED)
			:: err && (live || boot || trial) -> keep(); save(ROLLINGBACK, 0, 0)
			:: else
			fi;
			err = false
		} }
	od;
	atomic { p = NONE; live = false; boot = false; trial = false; turned = false; interrupted = false; err = false; fp = 0; ff = 0 }
}

/* ---- git [refs.go] ---- */

#define PENDING(c, j) (j != t && d[j].job && d[j].commit == (c) && d[j].action != ROLLBACK && !d[j].outcomes && !d[j].recorded)
#if N == 1
#define ISPENDING(c) (false)
#else
#define ISPENDING(c) (PENDING(c, 0) || PENDING(c, 1))
#endif

/* backTo [backTo] */
#define BACKTO (SYS != belongs && ISPENDING(SYS) -> SYS : (d[t].before != belongs && ISPENDING(d[t].before) -> d[t].before : belongs))

#ifdef MUTATION_REFS_NOT_LOCKED
#define REFSFREE true
#else
#define REFSFREE (refslock == NOBODY || refslock == WORKER(me))
#endif

/* record [Node.record, moves]: looks, and moves all refs if they are still as they were seen */
inline record() {
	do
	:: atomic { REFSFREE -> refslock = WORKER(me); sbranch = branch; sentries = entries; goal = BACKTO; };
		if
#ifdef MUTATION_NO_COMPARE_AND_SWAP
		:: atomic { true ->
#else
		:: atomic { entries == sentries && (branch == sbranch || res == SUCCEEDED || ract == ROLLBACK || SYS == goal || sbranch != SYS) ->
#endif
			to = (sbranch == SYS); tb = (SYS == goal);
			c_code { saw_record(Pworker->ract, Pworker->res, Pworker->to, Pworker->tb); };
			if
#ifdef MUTATION_SUPERSEDED_STAYS
			:: res == SUPERSEDED
#else
			:: res == SUPERSEDED && !to /* the newer deployment decides; unless it has given up meanwhile */
#endif
			:: res == SUCCEEDED ->
				if :: ract != BOOT -> current = SYS :: else fi;
				if :: ract != TEST -> bootref = SYS :: else fi;
				if :: ract != ROLLBACK -> belongs = SYS :: else fi;
				good = good | (1 << SYS); pinned = (ract == ROLLBACK);
				dirty = dirty && (ract == BOOT || ract == TEST)
			:: else ->
				if
				:: ract != ROLLBACK && SYS != goal ->
					d[t].kept = true;
					if :: to -> branch = goal :: else fi
				:: else
				fi
			fi;
			entries++; failedlast = (res == ROLLBACKFAILED); dirty = dirty || failedlast;
			d[t].recorded = res; d[t].records++; assert(d[t].records == 1);
			to = 0; tb = 0; sbranch = 0; sentries = 0; goal = 0; ract = 0; refslock = NOBODY };
			break
		:: atomic { else -> sbranch = 0; sentries = 0; goal = 0 } /* ErrMoved: again */
		fi
	od
}

/* afterboot [Node.afterBoot] */
inline afterboot() {
	atomic {
		if
		:: current != bootref && running == bootref && (belongs == bootref || running != current) ->
			if
			:: belongs == current ->
				if :: branch == current -> branch = bootref :: else fi;
				if :: d[0].moved && d[0].commit == current -> d[0].kept = true :: else fi;
#if N > 1
				if :: d[1].moved && d[1].commit == current -> d[1].kept = true :: else fi;
#endif
				belongs = bootref
			:: else
			fi;
			current = bootref
		:: else
		fi
	}
}

/* tell [deployment.finish]: the event Finished, the one outcome */
inline tell(o) { atomic { d[t].outcomes++; assert(d[t].outcomes == 1) } }

/* accepted [Node.accepted]: the commit is the branch's, or below it */
#define BELOW(j) (branch == d[j].commit && !d[j].again && d[j].action != ROLLBACK && d[j].before == SYS)
#if N == 1
#define ACCEPTED (d[t].action == ROLLBACK || branch == SYS)
#else
#define ACCEPTED (d[t].action == ROLLBACK || branch == SYS || BELOW(0) || BELOW(1))
#endif

/* ---- processes ---- */

/* Nobody works on i, and nobody will. */
#define STUCK(i) (d[i].action && !d[i].outcomes && d[i].lock == NOBODY && !d[i].running && !d[i].receiving)
#ifdef MUTATION_NOBODY_SETTLES
#define ANYSTUCK false
#elif N == 1
#define ANYSTUCK STUCK(0)
#else
#define ANYSTUCK (STUCK(0) || STUCK(1))
#endif

/* What has begun was accepted, wherever the branch is by now. */
#ifdef MUTATION_BEGUN_FORGOTTEN
#define TAKEN ACCEPTED
#else
#define TAKEN (d[t].phase != NONE || ACCEPTED)
#endif

inline release(i) { atomic { d[i].lock = NOBODY } }

/* Trials wait for the end of the boot, of which the first recovery may be a part [afterReboot]. */
#define WAITS(i) (booted && me == RECOVERY && d[i].phase != FINISHED && (d[i].trial || d[i].phase == GOINGBACK || d[i].phase == RETURNED))
#define SETTLED(i) (i < N && (!d[i].action || d[i].outcomes || d[i].lock != NOBODY || WAITS(i)))

/* settle [settle, deployment.settle]: gives deployment t, on which nobody
 * works, its outcome. A runner that was started, and that is slow to take the
 * deployment's lock, may be thought dead. */
inline settle() {
	if
	:: atomic { !SETTLED(t) -> d[t].lock = WORKER(me);
		if
		:: !d[t].job -> tell(INTERRUPTED) /* [abandon] */
		:: d[t].job && d[t].recorded -> tell(d[t].recorded)
		:: d[t].job && !d[t].recorded && !TAKEN && !d[t].receiving -> tell(INTERRUPTED) /* [notAccepted] */
#ifdef MUTATION_RECEIVER_IGNORED
		:: d[t].job && !d[t].recorded && !TAKEN && d[t].receiving -> tell(INTERRUPTED)
#else
		:: d[t].job && !d[t].recorded && !TAKEN && d[t].receiving /* git may still move the branch */
#endif
		:: d[t].job && !d[t].recorded && TAKEN -> goto work
		fi;
		goto let }
	:: atomic { SETTLED(t) || d[t].running -> goto settled } /* or its runner is young */
	fi;
work:	activate(); record();
	atomic { tell(res);
let:		d[t].lock = NOBODY; res = 0 };
settled: skip
}

proctype worker(byte me) {
	byte t, p, res, ract, to, out, why, fp, ff, nf, sbranch, sentries, goal;
	bool live, boot, trial, turned, interrupted, tl, tb, tt, tu, ti, err, berr, lerr, back;
endidle: {
	atomic {
		if
		:: me < N && d[me].running
		:: me == RECOVERY && (booted || ANYSTUCK) -> recovering = true
		fi };
	if
	:: me == RECOVERY -> /* [Recover] */
		atomic { nodelock == NOBODY -> nodelock = WORKER(me) };
		goto others
	:: else
	fi;
	/* [runDeployment] */
	atomic { d[me].lock == NOBODY -> t = me; d[t].lock = WORKER(me);
		if
		:: d[t].outcomes -> goto over /* it was thought dead, and settled */
#ifndef MUTATION_RECORDED_TWICE
		:: !d[t].outcomes && d[t].recorded -> tell(d[t].recorded); goto over /* but for the last step */
#endif
		:: else
		fi };
	/* [awaitBranch] */
	atomic { d[t].action == ROLLBACK || branch == SYS || !d[t].receiving;
		if
		:: ACCEPTED
		:: else -> tell(INTERRUPTED); goto over
		fi };
	/* [takeNode] */
	if
	:: atomic { nodelock == NOBODY -> nodelock = WORKER(me) }
	:: atomic { nodelock != NOBODY && d[t].phase == NONE -> res = LOCKED; ract = d[t].action } /* waited long enough */
	:: atomic { nodelock != NOBODY && d[t].phase != NONE -> goto over }
	fi;
	if
	:: res == LOCKED -> record(); atomic { tell(res); goto over }
	:: else
	fi;
	t = 0;
others: /* [settleAll] */
	do
	:: atomic { t < N && (t == me || SETTLED(t)) -> t++ }
	:: t < N && t != me && !SETTLED(t) -> settle(); t++
	:: t == N -> break
	od;
	atomic { REFSFREE; afterboot();
		if
		:: me == RECOVERY -> t = 0; booted = false; nodelock = NOBODY; recovering = false; goto endidle
		:: else -> t = me
		fi;
		if
		:: d[t].phase == NONE && d[t].action != ROLLBACK && branch != SYS -> res = SUPERSEDED; ract = d[t].action
		:: else -> d[t].reactivate = failedlast
		fi };
	if
	:: res == 0 -> activate()
	:: else
	fi;
	record();
	nodelock = NOBODY;
	atomic { tell(res);
over:		res = 0; d[me].lock = NOBODY; d[me].running = false; t = 0 }
	} unless { atomic { dead[me] ->
		dead[me] = false;
		t = 0; p = 0; res = 0; ract = 0; to = 0; out = 0; why = 0; fp = 0; ff = 0; nf = 0; sbranch = 0; sentries = 0; goal = 0;
		live = 0; boot = 0; trial = 0; turned = 0; interrupted = 0; tl = 0; tb = 0; tt = 0; tu = 0; ti = 0; err = 0; berr = 0; lerr = 0; back = 0;
		if
		:: me == RECOVERY -> goto endidle
		:: else
		fi } }
}

#ifdef FEW
#define ANYKIND (i > 0)
#else
#define ANYKIND true
#endif

/* A pusher, and git with its hooks at the node [PreReceive]; or somebody who
 * asks for the tip again, or for a rollback [Request.run]. */
proctype receiver(byte i) {
	{
	atomic {
		if
		:: d[i].commit = PUSHED + i; d[i].before = branch /* a push: git was told where the branch is */
		:: ANYKIND && !PINNED -> d[i].again = true; d[i].commit = branch; d[i].before = branch
		:: ANYKIND -> d[i].action = ROLLBACK; d[i].commit = OLD
		:: ANYKIND -> d[i].action = ROLLBACK; d[i].commit = NOW
		:: goto gone /* nobody comes */
		fi;
		if
		:: d[i].action != ROLLBACK -> d[i].action = SWITCH
#ifndef FEW
		:: d[i].action != ROLLBACK -> d[i].action = BOOT
		:: d[i].action != ROLLBACK -> d[i].action = TEST
#if N == 1
		:: d[i].action != ROLLBACK -> d[i].action = REBOOT
#endif
#endif
		:: d[i].action == ROLLBACK
		fi;
		if
		:: d[i].action == REBOOT -> bootsonce = true
		:: true
		fi;
#if N > 1
		d[i].confirm = true;
#else
		if :: d[i].confirm = true :: skip fi;
#endif
		d[i].lock = RECEIVER(i); d[i].receiving = true /* [Layout.Create] */
	};
	if
	:: goto refused /* for what it is, or because it does not build */
	:: atomic { d[i].action != ROLLBACK && !d[i].again && branch != d[i].before -> goto refused } /* [stillNewest] */
	:: atomic { d[i].action == ROLLBACK || d[i].again || branch == d[i].before -> d[i].job = true;
		if
		:: d[i].action == BOOT -> allowed = allowed | (1 << d[i].commit)
		:: else
		fi }
	fi;
	d[i].running = true; /* [activate.Start] */
	atomic { release(i); if :: d[i].again || d[i].action == ROLLBACK -> d[i].receiving = false; goto gone :: else fi };
#ifdef MUTATION_BRANCH_OVERWRITTEN
	atomic { branch = d[i].commit; d[i].moved = true; d[i].receiving = false };
#else
	atomic { if :: branch == d[i].before -> branch = d[i].commit; d[i].moved = true :: else fi; d[i].receiving = false };
#endif
	goto gone;
refused:
	atomic { d[i].outcomes++; assert(d[i].outcomes == 1); d[i].receiving = false; release(i) };
gone:	skip
	} unless { atomic { cutoff[i] -> cutoff[i] = false } }
}

/* ---- what goes wrong ---- */

inline letgo(who) { /* the kernel releases the locks of a dead process */
	x = 0;
	do
	:: x < N -> if :: d[x].lock == who -> d[x].lock = NOBODY :: else fi; x++
	:: x == N -> break
	od;
	x = 0
}

inline killworker(w) {
	dead[w] = true;
	if :: (w) < N -> d[w].running = false :: else -> recovering = false fi;
#ifndef MUTATION_LOCK_STAYS
	if :: nodelock == WORKER(w) -> nodelock = NOBODY :: else fi;
#endif
	if :: refslock == WORKER(w) -> refslock = NOBODY :: else fi;
	letgo(WORKER(w))
}

inline cut(i) { cutoff[i] = true; d[i].receiving = false; letgo(RECEIVER(i)) }

/* the power fails, and the machine boots */
inline powercut() {
	do
	:: w < N ->
		if :: d[w].running -> killworker(w) :: else fi;
		if :: d[w].receiving -> cut(w) :: else fi;
		d[w].rebooted = (d[w].phase != NONE && d[w].phase != FINISHED);
		w++
	:: w == N -> break
	od;
	if :: recovering -> killworker(RECOVERY) :: else fi;
	w = 0; goingdown = false;
	assert(MAYBOOT(BOOTS));
	if
	:: armed -> running = armed
	:: running = BOOTS /* also where what is armed does not come up */
	fi;
	armed = 0; whole = true; booted = true
}

#define KILL(it) atomic { CANKILL && !goingdown && it

/* The commit of i is not lost: a ref names it, or one on top of it. */
#define NAMED(i) (branch == d[i].commit || current == d[i].commit || d[i].kept)
#if N == 1
#define FOUND(i) NAMED(i)
#else
#define FOUND(i) (NAMED(i) || d[1 - (i)].commit == d[i].commit && d[1 - (i)].kept || d[1 - (i)].moved && d[1 - (i)].before == d[i].commit && NAMED(1 - (i)))
#endif

proctype world() {
	byte w, x;
	do
	:: KILL(recovering) -> kills = kills + COUNT; killworker(RECOVERY) }
	:: KILL(d[0].running) -> kills = kills + COUNT; killworker(0) }
	:: KILL(d[0].receiving) -> kills = kills + COUNT; cut(0) } /* the pusher is cut off */
#if N > 1
	:: KILL(d[1].running) -> kills = kills + COUNT; killworker(1) }
	:: KILL(d[1].receiving) -> kills = kills + COUNT; cut(1) }
#endif
	:: atomic { CANCUT && !goingdown -> cuts = cuts + COUNT; powercut() }
	:: atomic { goingdown -> powercut() }
	:: break
	od;
	do
	:: atomic { goingdown -> powercut() }
	:: timeout -> break
	od;
	/* ---- when nothing is left to do ---- */
	atomic {
		assert(nodelock == NOBODY && refslock == NOBODY && !booted);
		assert(branch == belongs);
		assert(current == belongs || bootref == belongs || pinned);
		assert(dirty || (whole && running == current && profile == bootref && loader == bootref && !armed));
		do
		:: w < N -> assert(!d[w].action || (d[w].outcomes == 1 && d[w].lock == NOBODY && !d[w].running && !d[w].receiving)); assert(!d[w].moved || FOUND(w)); w++
		:: w == N -> break
		od }
}

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
