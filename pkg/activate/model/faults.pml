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

#define KILL(it) atomic { kills < KILLS && !goingdown && it

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
	:: KILL(recovering) -> kills = kills + 1; killworker(RECOVERY) }
	:: KILL(d[0].running) -> kills = kills + 1; killworker(0) }
	:: KILL(d[0].receiving) -> kills = kills + 1; cut(0) } /* the pusher is cut off */
#if N > 1
	:: KILL(d[1].running) -> kills = kills + 1; killworker(1) }
	:: KILL(d[1].receiving) -> kills = kills + 1; cut(1) }
#endif
	:: atomic { cuts < CUTS && !goingdown -> cuts = cuts + 1; powercut() }
#if SHUTS > 0
	:: atomic { shuts < SHUTS && !goingdown -> shuts = shuts + 1; goingdown = true }
#endif
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
