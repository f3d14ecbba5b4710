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
#define PENDING 13 /* [activate.Pending]: the worker ends here, and the phase stays */

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
#define ROLLBACKBOOT 6 /* what becomes of a rollback that takes a boot; nobody asks for it */
#define LATER(a) ((a) == BOOT || (a) == ROLLBACKBOOT)
#define BYHAND(a) ((a) >= ROLLBACK)

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
bool goingdown;         /* it shuts down: nothing can be switched any more, and processes are asked to end */
byte allowed = 1 << NOW;          /* may boot: was the default, or was confirmed, or was asked for */
bool booted;                      /* and nobody has looked after that yet */

byte nodelock;          /* [statedir.Layout.LockFile] */
byte refslock;          /* [Node.lockRefs]: for the instant of looking at refs and moving them */
bool recovering;
bool dead[N + 1], cutoff[N]; /* the process was killed: it takes no further step */
bool pinned;            /* the last that succeeded was a rollback */
bool dirty;             /* a rollback failed, and nothing has succeeded since: nothing is promised */
byte kills, cuts, errors;
#if SHUTS > 0
byte shuts;
#endif

#define BOOTS (bootsprofile -> profile : loader)
#define MAYBOOT(s) ((allowed >> (s)) & 1)
/* [Node.pinned]: a rollback keeps it off its branch, or will from the next boot on */
#define PINNED (current != belongs && bootref != belongs || BOOTSBACK)
#define BOOTSBACK (pinned && bootref != current && bootref != belongs)
#define SYS (d[t].commit)
#define UNCHANGED (d[t].prev == SYS && !d[t].reactivate)
#define ACTION (!turned -> d[t].action : (d[t].action == ROLLBACK -> ROLLBACKBOOT : BOOT))
#define MOVESBOOT (ACTION != TEST && (LATER(ACTION) || d[t].prevBoot != SYS || live))
#define TRIALMOVES (!d[t].once && d[t].prevBoot != SYS)
