/* Networks that own different parts of one machine [scope.go, settle.go]: one
 * its system, another a profile, and the lock of each part. README.md says
 * how this is read; the names in [brackets] are the code's. What a deployment
 * does in detail is in deployment.pml; here it works on its part, or is killed
 * meanwhile (up to KILLS). */

#ifndef KILLS
#define KILLS 1
#endif
#define N 3        /* deployments */
#ifndef PARTS
#define PARTS 2    /* two profiles are to each other as each is to the system */
#endif
#define SYSTEM 0

#define NOBODY 0   /* who holds a lock: the runner of i, the recovery, who stops everything */
#define RUNNER(i) (1 + (i))
#define RECOVERY (1 + N)
#define ALL (2 + N)

byte part[N];      /* that it is of */
byte lock[PARTS];  /* [Node.lockFile] */
byte held[N];      /* [DeploymentLock] */
byte works[PARTS]; /* how many work on a part right now */
bool begun[N], outcome[N], running[N], dead[N];
byte at;           /* the part that the recovery is about */
byte kills;

#ifdef MUTATION_ONE_LOCK
#define LOCKOF(p) SYSTEM
#else
#define LOCKOF(p) (p)
#endif

inline tell(i) { assert(!outcome[i]); outcome[i] = true }

/* Whoever changes a part does it alone. */
inline begin(p) { works[p]++; assert(works[p] == 1) }
inline end(p) { works[p]-- }

#ifdef MUTATION_SETTLES_ANOTHERS
#define MINE(p) true
#else
#define MINE(p) (LOCKOF(part[j]) == p)
#endif

/* [settleAll]: who holds the lock of part p gives everything of that part an
 * outcome that has none and that nobody works on */
inline settleall(me, p, except) {
	do
	:: atomic { j < N && (j == except || outcome[j] || held[j] || !MINE(p)) -> j++ }
	:: atomic { j < N && j != except && !outcome[j] && !held[j] && MINE(p) ->
		if
		:: begun[j] -> held[j] = me; begin(part[j])
		:: else -> tell(j) /* it has touched nothing */
		fi };
		atomic {
			if
			:: held[j] == me -> end(part[j]); tell(j); held[j] = NOBODY
			:: else
			fi;
			j++ }
	:: atomic { j == N -> j = 0; break }
	od
}

/* [runDeployment] */
proctype runner(byte i) {
	byte j;
	{
	atomic { held[i] == NOBODY -> held[i] = RUNNER(i);
		if
		:: outcome[i] -> goto over
		:: else
		fi };
	if /* [takeNode] */
	:: atomic { lock[LOCKOF(part[i])] == NOBODY -> lock[LOCKOF(part[i])] = RUNNER(i) }
	:: atomic { lock[LOCKOF(part[i])] != NOBODY -> /* waited long enough: for its own part's sake only */
		j = lock[LOCKOF(part[i])];
		assert(j == ALL || j == RECOVERY && at == part[i] || j <= N && part[j - 1] == part[i]);
		j = 0; tell(i); goto over }
	fi;
	settleall(RUNNER(i), LOCKOF(part[i]), i);
	atomic { begun[i] = true; begin(part[i]) };
	atomic { end(part[i]); tell(i) };
	atomic { lock[LOCKOF(part[i])] = NOBODY;
over:		 held[i] = NOBODY; running[i] = false }
	} unless { atomic { dead[i] -> dead[i] = false } }
}

/* [Recover] */
proctype recovery() {
	byte j;
endidle:
	do
	:: (!running[0] && !outcome[0] || !running[1] && !outcome[1] || !running[2] && !outcome[2]) ->
#ifdef MUTATION_RECOVERY_HOLDS_SYSTEM
		atomic { lock[SYSTEM] == NOBODY -> lock[SYSTEM] = RECOVERY };
		settleall(RECOVERY, SYSTEM, N);
		at = 1;
#else
		at = SYSTEM;
#endif
		do
		:: at < PARTS ->
			atomic { lock[at] == NOBODY -> lock[at] = RECOVERY };
			settleall(RECOVERY, at, N);
			atomic { lock[at] = NOBODY; at++ }
		:: at == PARTS -> break
		od;
#ifdef MUTATION_RECOVERY_HOLDS_SYSTEM
		lock[SYSTEM] = NOBODY;
#endif
		at = 0
	od
}

/* [lockAll]: whoever leaves a network, or collects garbage, stops everything */
proctype all() {
	byte p;
	do
#ifdef MUTATION_ALL_IS_SYSTEM
	:: p == 1 -> break
#endif
	:: p < PARTS ->
		if
		:: atomic { lock[p] == NOBODY -> lock[p] = ALL; p++ }
		:: goto release /* waited long enough */
		fi
	:: p == PARTS -> break
	od;
	atomic { p = 0; do :: p < PARTS -> assert(works[p] == 0); p++ :: else -> break od };
release:
	atomic { p = 0; do :: p < PARTS -> if :: lock[p] == ALL -> lock[p] = NOBODY :: else fi; p++ :: else -> break od }
}

inline kill(i) {
	atomic { kills < KILLS && running[i] -> kills++; dead[i] = true; running[i] = false;
		/* what it was in the middle of stays as it is; a switch-to-configuration is stopped by who comes next [stopLeftover] */
		if :: works[part[i]] && lock[LOCKOF(part[i])] == RUNNER(i) -> works[part[i]] = 0 :: else fi;
		x = 0; do :: x < PARTS -> if :: lock[x] == RUNNER(i) -> lock[x] = NOBODY :: else fi; x++ :: else -> break od;
		x = 0; do :: x < N -> if :: held[x] == RUNNER(i) -> held[x] = NOBODY :: else fi; x++ :: else -> break od;
		x = 0 }
}

proctype world() {
	byte x;
	do
	:: kill(0)
	:: kill(1)
	:: kill(2)
	:: break
	od;
	timeout;
	atomic {
		do :: x < PARTS -> assert(lock[x] == NOBODY && works[x] == 0); x++ :: else -> break od;
		x = 0; do :: x < N -> assert(outcome[x] && held[x] == NOBODY && !running[x]); x++ :: else -> break od
	}
}

init {
	atomic {
		part[1] = 1; /* 0 is the system's */
		if :: part[2] = SYSTEM :: part[2] = PARTS - 1 fi;
		running[0] = true; running[1] = true; running[2] = true;
		run runner(0); run runner(1); run runner(2); run recovery(); run all(); run world()
	}
}
