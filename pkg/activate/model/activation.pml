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
	:: errors < ERRORS -> errors = errors + 1; err = true
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
inline finish(o) {
	atomic {
		assert(o != ROLLBACKFAILED || errors > 0); /* a shutdown is no reason */
		keep(); save(FINISHED, o, 0);err = false; res = o; ract = ACTION }
}

inline does(op, sys) {
	to = op; tb = (sys == SYS);
	c_code { saw_do(Pworker->fp, Pworker->to, Pworker->tb); };
	to = 0; tb = 0
}

#define MAYFAIL errors < ERRORS -> errors = errors + 1; err = true

/* whoever shuts the machine down also asks the runner to end */
#define MAYSTOP goingdown -> err = true

/* a call that changes nothing, and may fail */
inline calls(op) { atomic { does(op, 0); if :: err = false :: MAYFAIL :: MAYSTOP fi } }
/* whose answer is not in our hands */
inline asks(op) { atomic { does(op, 0); if :: err = false :: err = true fi } }

inline switchtest(sys) {
	atomic { does(SWITCHTEST, sys);
		if
		:: !goingdown -> err = false; running = sys; whole = false
		:: MAYFAIL
		:: MAYSTOP
		fi };
	if
	:: atomic { !err -> whole = true }
	:: atomic { !err && goingdown -> err = true }
	:: atomic { !err && errors < ERRORS -> errors = errors + 1; err = true }
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
	:: atomic { !err && errors < ERRORS -> errors = errors + 1; err = true }
	:: err
	fi
}

/* restart [run.restart]: the machine goes down, or does not */
inline restart() {
	atomic { does(RESTART, 0);
		if
		:: goingdown = true; p = PENDING
		:: MAYFAIL
		:: MAYSTOP
		fi }
}

/* [Machine.GoingDown] */
#ifdef MUTATION_SHUTDOWN_FAILS_ROLLBACK
#define SEENDOWN false
#else
#define SEENDOWN goingdown
#endif

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
		:: fp == COMMITTING && running == SYS && (!LATER(ACTION) || d[t].rebooted) -> p = COMMITTING
		:: else -> p = ROLLINGBACK; ti = true
		fi;
		save(p, 0, 1 + d[t].rebooted)
	}
}

/* activate [Run, Settle, run.loop]: comes to the outcome res, of the action ract;
 * or to none (0), because the next boot goes on [Pending] */
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
		:: atomic { errors < ERRORS -> errors = errors + 1; /* the machine cannot be examined */
			fp = d[t].phase; ff = d[t].live + 2 * d[t].boot + 4 * d[t].trial + 8 * d[t].turned + 16 * d[t].interrupted;
			tl = d[t].live; tb = d[t].boot; tt = d[t].trial; tu = d[t].turned; ti = d[t].interrupted;
			save(FINISHED, ROLLBACKFAILED, 1 + d[t].rebooted); err = false; res = ROLLBACKFAILED; ract = ACTION }
		:: atomic { errors < ERRORS -> errors = errors + 1; /* the state cannot be read */
			fp = NONE; ff = 0; ti = true; save(FINISHED, ROLLBACKFAILED, 1); err = false; res = ROLLBACKFAILED; ract = ACTION }
		fi
	fi;
	do
	:: p == FINISHED || p == PENDING -> break
	:: p == ROLLINGBACK -> PHASE {
		berr = false; lerr = false; back = false; err = false;
		if /* putBackBoot */
		:: trial && d[t].once && !boot -> atomic { does(DISARM, 0); if :: armed = 0 :: MAYFAIL; berr = true fi }
		:: !(trial && d[t].once && !boot) && boot && d[t].prevBoot != SYS -> setboot(d[t].prevBoot); berr = err
		:: else
		fi;
		back = (trial && SYS != d[t].prev && running == SYS); /* trialRuns */
		if
		:: atomic { trial && errors < ERRORS -> errors = errors + 1; berr = true; back = false } /* that cannot be told */
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
			:: !berr && lerr && d[t].prevBoot != SYS && !SEENDOWN -> back = true; lerr = false /* [Job.mayRebootBack] */
			:: true
			fi;
			if
			:: !berr && lerr && SEENDOWN -> p = PENDING
			:: !berr && !lerr && !back && interrupted -> finish(INTERRUPTED)
			:: !berr && !lerr && !back && !interrupted -> finish(ROLLEDBACK)
			:: !berr && !lerr && back -> enter(GOINGBACK); if :: err -> finish(ROLLBACKFAILED) :: else fi
			:: else -> finish(ROLLBACKFAILED)
			fi;
			err = false; berr = false; lerr = false; back = false
		} }
	:: p == GOINGBACK -> restart();
		atomic {
			if
			:: err && SEENDOWN -> p = PENDING
			:: err && !SEENDOWN -> finish(ROLLBACKFAILED)
			:: else
			fi;
			err = false }
	:: p == RETURNED -> PHASE {
		err = (running != d[t].prev && running != d[t].prevBoot);
		if :: !err -> calls(BOOTED) :: else fi;
		if :: !err -> calls(HEALTHY) :: else fi;
		atomic {
			if
			:: err && SEENDOWN -> p = PENDING
			:: err && !SEENDOWN -> finish(ROLLBACKFAILED)
			:: !err && interrupted -> finish(INTERRUPTED)
			:: else -> finish(ROLLEDBACK)
			fi;
			err = false } }
	:: p == NONE -> assert(false)
	:: p == REBOOTING -> restart();
		atomic {
			if
			:: err -> keep(); save(ROLLINGBACK, 0, 0)
			:: else
			fi;
			err = false }
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
				:: d[t].action == SWITCH || d[t].action == ROLLBACK -> turned = true; prove() /* as if asked for */; enter(COMMITTING)
				:: else -> err = true
				fi }
			fi
		:: p == ARMING ->
			if
			:: d[t].once -> atomic { does(ARM, 0); armed = SYS };
				if :: skip :: atomic { MAYFAIL } :: atomic { MAYSTOP } fi
			:: TRIALMOVES -> prove(); setboot(SYS); if :: skip :: atomic { MAYSTOP } fi
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
