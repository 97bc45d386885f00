//! What the benchmark promises of itself: a seed reproduces a run, figure by figure.

mod bench;

#[test]
fn a_seed_reproduces_a_run() {
    for row in ["5 % 503s, calls of 4 s", "four processes, the store away for 20 s"] {
        let run = |seed: &str| {
            let args = ["--quick", "--pool", "--demand", "100", "--only", row, "--seed", seed];
            let mut report = Vec::new();
            bench::run_with(args.map(str::to_owned), &mut report).unwrap();
            String::from_utf8(report).unwrap()
        };
        let first = run("7");
        assert_eq!(first, run("7"), "{row}");
        assert_ne!(first, run("8"), "{row}: the seed does nothing");
    }
}
