/* ---- processes ---- */

/* [State.AwaitsReboot] */
#define AWAITS(i) (goingdown && !d[i].rebooted && (d[i].phase == REBOOTING || d[i].phase == GOINGBACK))

/* Nobody works on i, and nobody will. */
#define STUCK(i) (d[i].action && !AWAITS(i) && !d[i].outcomes && d[i].lock == NOBODY && !d[i].running && !d[i].receiving)
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
#define SETTLED(i) (i < N && (!d[i].action || d[i].outcomes || d[i].lock != NOBODY || WAITS(i) || AWAITS(i)))

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
	:: atomic { goingdown && d[t].phase == NONE -> res = INTERRUPTED; ract = d[t].action }
	:: atomic { nodelock != NOBODY && d[t].phase != NONE -> goto over }
	fi;
	if
	:: res -> goto ended
	:: else -> t = 0
	fi;
others: /* [settleAll] */
	do
	:: atomic { t < N && (t == me || SETTLED(t)) -> t++ }
	:: atomic { t < N && t != me && !SETTLED(t) && d[t].running -> t++ } /* its runner is young */
	:: atomic { t < N && t != me && !SETTLED(t) -> d[t].lock = WORKER(me); /* [deployment.settle]; a slow runner may be thought dead */
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
		goto settled }
	:: t == N -> break
	od;
	atomic { REFSFREE; afterboot();
		if
		:: me == RECOVERY -> t = 0; booted = false; nodelock = NOBODY; recovering = false; goto endidle
		:: else -> t = me
		fi;
		if
		:: d[t].phase == NONE && d[t].action != ROLLBACK && branch != SYS -> res = SUPERSEDED
#ifndef MUTATION_BEGINS_IN_SHUTDOWN
		:: d[t].phase == NONE && !(d[t].action != ROLLBACK && branch != SYS) && goingdown -> res = INTERRUPTED /* one may be left unsettled */
#endif
		:: else -> d[t].reactivate = failedlast; goto work
		fi;
		ract = d[t].action; goto ended };
work:	activate(); /* of its own, or of what it settles */
ended:	if
	:: res -> record()
	:: else
	fi;
	if
	:: t != me ->
		atomic { if :: res -> tell(res) :: else fi;
settled:	d[t].lock = NOBODY; res = 0; t++; goto others }
	:: t == me && nodelock == WORKER(me) -> nodelock = NOBODY
	:: t == me && nodelock != WORKER(me) /* [conclude] without it */
	fi;
	atomic { if :: res -> tell(res) :: else fi;
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
