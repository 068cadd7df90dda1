import Foundation
import GuestHarness
import Testing

/// A demo on a qcow2 image that is killed leaves an image that QEMU finds no fault with.
@Suite struct KilledImageTests {
    private static let hasQEMU = ["/usr/bin", "/usr/local/bin", "/bin"].contains {
        FileManager.default.isExecutableFile(atPath: $0 + "/qemu-img")
    }

    private func expectClean(_ image: String, _ when: String) throws {
        let check = try RunningProgram(["qemu-img", "check", "-f", "qcow2", image]).ending()
        #expect(check.status == 0, "\(when): \(check.lines.joined(separator: "\n"))\(check.errors)")
    }

    /// Starts a demo that writes to `image` and reads some of its samples.
    private func demo(on image: String, samples: Int) throws -> RunningProgram {
        let demo = try RunningProgram([
            Program.path, "--demo", "--format", "qcow2", "--lun-file", image, "--overwrite",
            "--full-speed", "--json", "--interval", "0.1",
        ])
        for _ in 0..<samples { #expect(try demo.line().hasPrefix("{")) }
        return demo
    }

    private func size(of file: String) throws -> Int {
        try #require(try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int)
    }

    /// Each round begins with what the last kill left. Clean means neither errors nor leaks.
    @Test(.enabled(if: hasQEMU, "there is no qemu-img"))
    func killingTheDemoHarmsNoImage() throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("vblktop-killed-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let image = folder.appendingPathComponent("image.qcow2").path
        let made = try RunningProgram([
            "qemu-img", "create", "-q", "-f", "qcow2", "-o", "cluster_size=4k", image, "256M",
        ]).ending()
        try #require(made.status == 0, "\(made.errors)")
        let empty = try size(of: image)
        for round in 1...5 {
            let killed = try demo(on: image, samples: round)
            killed.signal(SIGKILL)
            #expect(try killed.ending().status == 128 + SIGKILL)
            #expect(try size(of: image) > empty, "nothing was written")
            try expectClean(image, "round \(round), killed")
            let again = try demo(on: image, samples: 1)
            again.signal(SIGTERM)
            let ending = try again.ending()
            #expect(ending.status == 0 || ending.status == 128 + SIGTERM, "\(ending.errors)")
            try expectClean(image, "round \(round), opened again")
        }
    }
}
