/* ---- git [refs.go] ---- */

#define UNDERWAY(c, j) (j != t && d[j].job && d[j].commit == (c) && d[j].action != ROLLBACK && !d[j].outcomes && !d[j].recorded)
#if N == 1
#define ISPENDING(c) (false)
#else
#define ISPENDING(c) (UNDERWAY(c, 0) || UNDERWAY(c, 1))
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
		:: atomic { entries == sentries && (branch == sbranch || res == SUCCEEDED || BYHAND(ract) || SYS == goal || sbranch != SYS) ->
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
				if :: !LATER(ract) -> current = SYS :: else fi;
				if :: ract != TEST -> bootref = SYS :: else fi;
				if :: !BYHAND(ract) -> belongs = SYS :: else fi;
				good = good | (1 << SYS); pinned = BYHAND(ract);
				dirty = dirty && (LATER(ract) || ract == TEST)
			:: else ->
				if
				:: !BYHAND(ract) && SYS != goal ->
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

/* afterboot [Node.afterBoot]: on its way down, what runs may be what a
 * deployment has left for the next boot to put back */
#ifdef MUTATION_BOOTED_IN_SHUTDOWN
#define ISUP true
#else
#define ISUP (!goingdown)
#endif
inline afterboot() {
	atomic {
		if
		:: ISUP && current != bootref && running == bootref && (belongs == bootref || BOOTSBACK || running != current) ->
			if
#ifdef MUTATION_ROLLBACK_MOVES_BRANCH
			:: belongs == current ->
#else
			:: belongs == current && !BOOTSBACK ->
#endif
				assert(!pinned); /* a rollback leaves the branch where it is, and so does the boot that it takes */
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
