import Foundation
import Testing

/// `vblktop bench`, as scripts and people use it.
@Suite struct BenchTests {
    private func object(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    @Test func jsonHasWhatIsPromised() throws {
        let run = try Program.shell(
            "$V bench --paths data-plane --luns 2 --seconds 0.3 --warm-up 0 --repeats 2 --json")
        #expect(run.status == 0)
        #expect(run.errors == "")
        let result = try object(run.output)
        #expect(result["schema"] as? Int == 1)
        #expect(result["complete"] as? Bool == true)
        let machine = try #require(result["machine"] as? [String: Any])
        #expect(machine["cores"] as? Int ?? 0 > 0)
        let points = try #require(result["points"] as? [[String: Any]])
        let point = try #require(points.first)
        #expect(points.count == 1)
        let setup = try #require(point["setup"] as? [String: Any])
        #expect(setup["path"] as? String == "data-plane")
        #expect(setup["device_wait"] as? String == "block")
        #expect((point["iops"] as? [Double])?.count == 2)
        #expect(point["failure"] is NSNull)
        for key in [
            "iops_median", "latency_us_mean", "latency_us_p99_9", "cpu_ns_per_io",
            "vcpu_cpu_ns_per_io", "device_cpu_ns_per_io", "kicks_per_io",
        ] {
            #expect(point[key] as? Double ?? 0 > 0, "\(key)")
        }
        #expect(point["device_threads"] as? Int == 2)
        #expect(setup["driver"] as? String == "bio")
        #expect(setup["pv_eoi"] as? Bool == true)
        #expect((setup["modelled"] as? [Any])?.isEmpty == true)
        // What is not counted is null with a reason, never 0.
        let missing = try #require(point["missing"] as? [String: String])
        for key in ["lock_acquisitions_per_io", "request_queue_locks_per_io", "merges_per_io"] {
            #expect(point[key] is NSNull, "\(key)")
            #expect(missing[key] != nil, "\(key)")
        }
    }

    /// Every setting is in the setup of the paths that have it, and what is modelled says so.
    @Test func settingsAreInTheSetup() throws {
        let run = try Program.shell(
            """
            $V bench --paths multi-queue,pass-through --luns 1 --seconds 0.1 --warm-up 0 \
            --repeats 1 --json --queues 2 --io-threads 1 --driver request --coalesce 8:100 \
            --no-kick-batching --no-pv-eoi --vm-exit-ns 500 --delay ram-disk
            """)
        #expect(run.status == 0, "\(run.errors)")
        let points = try #require(try object(run.output)["points"] as? [[String: Any]])
        let setups = try points.map { try #require($0["setup"] as? [String: Any]) }
        #expect(setups[0]["queues"] as? Int == 2)
        #expect(setups[0]["io_threads"] as? Int == 1)
        #expect(setups[0]["driver"] as? String == "request")
        #expect(setups[0]["coalescing"] as? String == "8:100")
        #expect(setups[0]["kick_batching"] as? Bool == false)
        #expect(setups[0]["pv_eoi"] as? Bool == false)
        #expect(points[0]["request_queue_locks_per_io"] as? Double ?? 0 > 0)
        for key in ["queues", "io_threads", "driver", "coalescing", "kick_batching", "pv_eoi"] {
            #expect(setups[1][key] is NSNull, "\(key)")
        }
        let modelled = try setups.map { try #require($0["modelled"] as? [[String: Any]]) }
        #expect(modelled.map(\.count) == [2, 1], "a guest that has the device never leaves")
        for parts in modelled {
            #expect((parts[0]["name"] as? String)?.hasPrefix("delay ram-disk: ") == true)
            #expect(parts[0]["cost_ns"] is NSNull)
        }
        #expect(modelled[0][1]["cost_ns"] as? Int == 500)
    }

    /// A path that cannot run has its reason, and costs no other.
    @Test func aPathThatCannotRunLosesNoOther() throws {
        let run = try Program.shell(
            """
            $V bench --paths multi-queue,data-plane --queues 2 --backend aio --format qcow2 \
            --luns 1 --seconds 0.05 --warm-up 0 --repeats 2 --json
            """)
        #expect(run.status == 0, "\(run.errors)")
        let result = try object(run.output)
        #expect(result["complete"] as? Bool == true)
        let points = try #require(result["points"] as? [[String: Any]])
        let failure = try #require(points[0]["failure"] as? String)
        #expect(failure.contains("qcow2") && failure.contains("use raw"))
        #expect((points[0]["iops"] as? [Double])?.isEmpty == true)
        #expect(points[1]["failure"] is NSNull)
        #expect((points[1]["iops"] as? [Double])?.count == 2)
        let setup = try #require(points[1]["setup"] as? [String: Any])
        #expect((setup["backend"] as? String)?.contains("qcow2 allocated") == true)
    }

    /// fio goes the same way to the same files.
    @Test(arguments: [
        ("", "--ioengine=libaio --direct=1 ", "--iodepth=8 "),
        ("--aio io_uring --cache directsync", "--ioengine=io_uring --direct=1 ", "--sync=dsync"),
        ("--aio threads", "--ioengine=psync --direct=1 ", "--numjobs=4 "),
        ("--cache writeback", "--ioengine=psync --direct=0 ", "--invalidate=0"),
    ])
    func fioGoesTheSameWay(options: String, engine: String, more: String) throws {
        let run = try Program.shell(
            """
            T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
            printf '#!/bin/sh\\n[ "$1" = --version ] && exit\\necho "$@" >> %s/asked\\nexit 1\\n' \
            "$T" > $T/fio; chmod +x $T/fio
            PATH=$T:$PATH $V bench --backend aio --against fio --luns 1 --paths data-plane \
            --queue-depth 8 --seconds 0.05 --warm-up 0 --repeats 1 \(options) && cat $T/asked >&2
            """)
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.errors.contains(engine) && run.errors.contains(more), "\(run.errors)")
    }

    /// A second engine's threads show that the first run is done.
    @Test func anInterruptedBenchKeepsWhatIsDone() throws {
        let run = try Program.shell(
            """
            T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
            $V bench --paths data-plane --luns 1 --seconds 0.05 --warm-up 0 --repeats 1000 --json \
            --csv $T/runs.csv > $T/out & P=$!
            vcpu() { grep -l vcpu /proc/$P/task/*/comm 2> /dev/null | head -n 1; }
            F=; until test -n "$F"; do kill -0 $P || exit 1; F=$(vcpu); done
            N=; until test -n "$N" -a "$N" != "$F"; do kill -0 $P || exit 1; N=$(vcpu); done
            kill -INT $P; wait $P; S=$?; cat $T/out; test -s $T/runs.csv && exit $S
            """)
        #expect(run.status == 130)
        let result = try object(run.output)
        #expect(result["complete"] as? Bool == false)
        let points = try #require(result["points"] as? [[String: Any]])
        let done = try #require(points.first?["iops"] as? [Double])
        #expect((1..<1000).contains(done.count))
        #expect(done.allSatisfy { $0 > 0 })
    }

    @Test func everyFileThatIsAskedForIsWrittenAndNoneIsOverwritten() throws {
        let run = try Program.shell(
            """
            T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
            $V bench --luns 1 --block-sizes 512,4K --seconds 0.05 --warm-up 0 --repeats 1 \
            --json $T/a.json --csv $T/a.csv --html $T/a.html --svg $T/charts || exit 9
            ls $T $T/charts; echo; $V bench --seconds 0.05 --html $T/a.html
            """)
        #expect(run.status == 1)
        for text in [
            "IOPS by block size", "2013 references, not measured here", "a.json", "a.csv", "a.html",
            "iops-by-block-size.svg", "iops-by-path.svg",
        ] {
            #expect(run.output.contains(text), "\(text)")
        }
        #expect(run.errors.contains("a.html is there already"))
    }

    /// A program in fio's place, which notes what it is asked and answers what it is told to.
    private func bench(againstFioThat answer: String) throws -> [String: Any] {
        let run = try Program.shell(
            """
            T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
            printf '#!/bin/sh\\n[ "$1" = --version ] && exit\\necho "$@" >> %s/asked\\n%s\\n' \
            "$T" "$ANSWER" > $T/fio; chmod +x $T/fio
            PATH=$T:$PATH $V bench --backend aio --against fio --luns 2 --block-sizes 512 \
            --queue-depth 4 --seconds 0.05 --warm-up 0 --repeats 2 --json && cat $T/asked >&2
            """, environment: ["ANSWER": answer.replacingOccurrences(of: "'", with: "'\\''")])
        #expect(run.status == 0, "\(run.errors)")
        let asked = run.errors.split(separator: "\n")
        #expect(asked.allSatisfy { $0.contains("--bs=512 --iodepth=4 ") })
        #expect(asked.allSatisfy { $0.contains("--name=lun1 --filename=/proc/") })
        let pairings = try #require(try object(run.output)["pairings"] as? [[String: Any]])
        return try #require(pairings.first)
    }

    @Test func everyRunHasOneOfFioBesideIt() throws {
        let jobs =
            #"{"read":{"iops":1000.5},"write":{"iops":0}},{"read":{"iops":1},"write":{"iops":2}}"#
        let pairing = try bench(againstFioThat: "echo 'a warning'; echo '{\"jobs\":[\(jobs)]}'")
        #expect(pairing["peer_iops"] as? [Double] == [1003.5, 1003.5])
        #expect((pairing["iops"] as? [Double])?.count == 2)
        #expect(pairing["ratio_median"] as? Double ?? 0 > 0)
        #expect(pairing["failure"] is NSNull)
    }

    @Test(arguments: ["exit 3", "echo '{}'", "echo nonsense", "kill -9 $$"])
    func aFioThatFailsIsTold(answer: String) throws {
        let pairing = try bench(againstFioThat: answer)
        #expect(pairing["failure"] is String)
        #expect(pairing["ratio_median"] is NSNull)
        #expect((pairing["peer_iops"] as? [Any])?.isEmpty == true)
    }

    @Test(arguments: [
        ("$V bench --paths nonsense", 64), ("$V bench --luns 0", 64),
        ("$V bench --block-sizes 1000", 64), ("$V bench --against fio", 64),
        ("$V bench --scaling --luns 3", 64), ("$V bench --repeats 0", 64),
        ("$V bench --cache writeback", 64), ("$V bench --backend memory --format qcow2", 64),
        ("$V bench --backend aio --aio aio --cache writeback", 64),
        ("$V bench --backend aio --format qcow2 --against fio", 64),
        ("$V bench --paths ide --driver request", 64), ("$V bench --delay tape", 64),
        ("$V bench --paths vhost --queues 2", 64), ("$V bench --coalesce 0:1", 64),
        ("$V bench --vm-exit-ns 1000001", 64),
        ("$V bench --backend aio --file /nonexistent --seconds 0.1", 1),
        ("$V bench --backend aio --backing-dir /proc --seconds 0.1", 1),
        ("$V bench --backend aio --against fio --seconds 0.1", 1),
    ])
    func whatCannotBeDoneIsTold(command: String, status: Int) throws {
        // Without a PATH there is no fio.
        let bare = command.replacingOccurrences(of: "$V", with: "PATH=/nonexistent $V")
        let run = try Program.shell(bare)
        #expect(Int(run.status) == status)
        #expect(run.output == "")
        let lines = run.errors.split(separator: "\n")
        #expect(status == 64 ? lines.count >= 1 : lines.count == 1, "\(run.errors)")
    }
}
