import Glibc
import Kernel
import Telemetry
import Testing
import Virtio

@testable import DataPlane

extension DataPlaneTests {
    /// qcow2 images under the engine, judged by what is read again and by QEMU's own tools.
    @Suite struct Qcow2Images {
        static let places = Place.present.filter { $0 != .memory }
        static let present: Comment = "there is no qemu-img"

        // MARK: Engine

        @Test(arguments: places, product([9, 12, 16], [512, 4096, 65_536]))
        func readsGiveWhatWasWritten(_ place: Place, _ shape: (bits: Int, block: Int)) throws {
            let folder = try ImageFolder(place)
            let file = try folder.emptyFile("image")
            let depth = 7
            let format = try ImageFormat.createQcow2(
                in: file, byteCount: Int64(4 * (depth + 4) * shape.block), clusterBits: shape.bits)
            for model in IOModel.allCases {
                let backend = BackendChoice.file(file, FileAccess(model: model, format: format))
                let work = job(
                    depth: depth, blockSize: shape.block, flushEvery: 5, verifies: true)
                let engine = try run(engineOfOne(backend, work)) {
                    $0.requests() >= scaled(300)
                }
                expectSettled(engine, blockSize: shape.block)
                if QEMUImage.isPresent { try QEMUImage.expectClean(file.name) }
            }
        }

        /// The demo's own images have no name and read as zeroes at first.
        @Test(arguments: places)
        func anUnnamedImageIsBlank(_ place: Place) throws {
            let file = try BackingFile(unnamedIn: place.directory ?? "/", byteCount: 1 << 20)
            let format = try ImageFormat.createQcow2(in: file, byteCount: 1 << 20)
            let work = job(depth: 16, verifies: true)
            let engine = try run(
                engineOfOne(.file(file, FileAccess(format: format)), work)
            ) { $0.requests() >= scaled(1000) }
            expectSettled(engine)
            let counters = engine.counters(ofLUN: 0)
            #expect(counters.reads > 0 && counters.writes > 0)
        }

        // MARK: QEMU's images

        static let options = [
            "cluster_size=4k", "cluster_size=64k", "cluster_size=2M", "cluster_size=512",
            "cluster_size=64k,lazy_refcounts=on", "cluster_size=4k,preallocation=metadata",
            "cluster_size=64k,preallocation=metadata", "cluster_size=4k,refcount_bits=1",
            "cluster_size=4k,refcount_bits=64", "cluster_size=64k,preallocation=falloc",
            "cluster_size=64k,compression_type=zstd",
        ]

        /// What is written to an image of QEMU's is what QEMU reads, and QEMU finds no fault,
        /// before the image is closed and after it.
        @Test(.enabled(if: QEMUImage.isPresent, present), arguments: places, options)
        func qemuReadsWhatWasWritten(_ place: Place, _ options: String) throws {
            let folder = try ImageFolder(place)
            let image = folder.file("image")
            let made = try QEMUImage.run(
                "qemu-img", "create", "-q", "-f", "qcow2", "-o", options, image, "5M")
            #expect(made.status == 0, "\(made.text)")
            var model = [UInt8](repeating: 0, count: 5 << 20)
            let rig = try ImageRig(BackingFile(opening: image, readOnly: false))
            #expect(rig.byteCount == model.count)
            var random = Random(seed: UInt64(options.utf8.count))
            for step in 0..<60 { change(rig, &model, &random, step) }
            #expect(rig.content() == model)
            #expect(rig.flush() == BlockStatus.ok)
            try QEMUImage.expectClean(image)
            rig.close()
            try QEMUImage.expectClean(image)
            let raw = try folder.write(model, to: "raw")
            let compared = try QEMUImage.run(
                "qemu-img", "compare", "-f", "raw", "-F", "qcow2", raw, image)
            #expect(compared.status == 0, "\(compared.text)")
        }

        private func change(
            _ rig: ImageRig, _ model: inout [UInt8], _ random: inout Random, _ step: Int
        ) {
            let first = Int(random.below(UInt64(model.count / 512)))
            let count = min(1 + Int(random.below(200)), model.count / 512 - first)
            let range = first * 512..<(first + count) * 512
            var data = [UInt8](repeating: 0, count: range.count)
            let answer: UInt8?
            switch step % 6 {
            case 3: answer = rig.clear(range.lowerBound, count: range.count, unmap: true)
            case 4: answer = rig.clear(range.lowerBound, count: range.count, unmap: false)
            case 5: answer = rig.discard(range.lowerBound, count: range.count)
            default:
                data = (0..<count).flatMap { sector in
                    Array(repeating: UInt8(1 + (step + sector) % 255), count: 512)
                }
                answer = rig.write(data, at: range.lowerBound)
            }
            #expect(answer == BlockStatus.ok)
            model.replaceSubrange(range, with: data)
        }

        /// An image QEMU filled is read as QEMU reads it.
        @Test(
            .enabled(if: QEMUImage.isPresent, present), arguments: places,
            ["cluster_size=4k", "cluster_size=64k", "cluster_size=2M", "compat=0.10"])
        func whatQEMUWroteIsRead(_ place: Place, _ options: String) throws {
            let folder = try ImageFolder(place)
            let content = (0..<6144).flatMap { sector in
                let byte = sector / 80 % 3 == 0 ? 0 : UInt8(truncatingIfNeeded: sector * 7)
                return [UInt8](repeating: byte, count: 512)
            }
            let (raw, image) = (try folder.write(content, to: "raw"), folder.file("image"))
            let converted = try QEMUImage.run(
                "qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-o", options, raw, image)
            #expect(converted.status == 0, "\(converted.text)")
            let rig = try ImageRig(BackingFile(opening: image, readOnly: true))
            #expect(rig.content() == content)
            guard options != "compat=0.10" else { return }
            let changed = try QEMUImage.run(
                "qemu-io", "-f", "qcow2", "-c", "write -z 0 70k", "-c", "write -P 9 1M 5k", "-c",
                "discard 2M 256k", image)
            #expect(changed.status == 0, "\(changed.text)")
            let again = try ImageRig(BackingFile(opening: image, readOnly: false))
            let data = again.content()
            #expect(data[..<(70 << 10)].allSatisfy { $0 == 0 })
            #expect(data[(1 << 20)..<(1 << 20 + 5 << 10)].allSatisfy { $0 == 9 })
            #expect(again.write(Array(repeating: 3, count: 512), at: 512) == BlockStatus.ok)
            again.close()
            try QEMUImage.expectClean(image)
            let read = try QEMUImage.run(
                "qemu-io", "-r", "-f", "qcow2", "-c", "read -P 0 0 512", "-c",
                "read -P 3 512 512", "-c", "read -P 0 1024 64k", image)
            #expect(!read.text.contains("failed"), "\(read.text)")
        }

        // MARK: What is refused

        /// Two that write to one image would destroy it.
        @Test(arguments: places)
        func anImageInUseIsNotWrittenTo(_ place: Place) throws {
            let folder = try ImageFolder(place)
            do {
                let file = try folder.emptyFile("image")
                _ = try ImageFormat.createQcow2(in: file, byteCount: 1 << 20)
                let second = try BackingFile(opening: file.name, readOnly: false)
                #expect(throws: KernelError.self) { try ImageFormat.qcow2(in: second) }
                #expect(throws: Never.self) {
                    try ImageFormat.qcow2(in: BackingFile(opening: file.name, readOnly: true))
                }
                if QEMUImage.isPresent {
                    let write = ["qemu-io", "-f", "qcow2", "-c", "write 0 512", file.name]
                    #expect(try QEMUImage.run(write).text.contains("lock"))
                }
            }
            let again = try BackingFile(opening: folder.path + "/image", readOnly: false)
            #expect(throws: Never.self) { try ImageFormat.qcow2(in: again) }
        }

        @Test(.enabled(if: QEMUImage.isPresent, present))
        func whatIsNotImplementedIsRefusedWithTheReason() throws {
            let folder = try ImageFolder(.disk)
            let base = folder.file("base")
            _ = try QEMUImage.run("qemu-img", "create", "-q", "-f", "qcow2", base, "1M")
            for (options, word) in [
                ("backing_file=\(base),backing_fmt=qcow2", "backing"),
                ("extended_l2=on,cluster_size=128k", "extended_l2"),
                ("data_file=\(folder.file("data"))", "data_file"), ("compat=0.10", "version 2"),
            ] {
                let image = folder.file("image-\(word)")
                let made = try QEMUImage.run(
                    "qemu-img", "create", "-q", "-f", "qcow2", "-o", options, image, "1M")
                #expect(made.status == 0, "\(made.text)")
                do {
                    _ = try ImageRig(BackingFile(opening: image, readOnly: false))
                    Issue.record("\(options) was taken")
                } catch {
                    #expect("\(error)".contains(word))
                }
            }
        }

        /// Snapshots are not harmed: what has them is only read.
        @Test(.enabled(if: QEMUImage.isPresent, present))
        func anImageWithSnapshotsIsOnlyRead() throws {
            let folder = try ImageFolder(.disk)
            let image = folder.file("image")
            for command in [
                ["qemu-img", "create", "-q", "-f", "qcow2", image, "1M"],
                ["qemu-io", "-f", "qcow2", "-c", "write -P 7 0 64k", image],
                ["qemu-img", "snapshot", "-c", "one", image],
            ] {
                #expect(try QEMUImage.run(command).status == 0)
            }
            #expect(throws: (any Error).self) {
                try ImageRig(BackingFile(opening: image, readOnly: false))
            }
            let rig = try ImageRig(BackingFile(opening: image, readOnly: true))
            #expect(rig.read(0, count: 512) == Array(repeating: 7, count: 512))
            #expect(rig.write([1], at: 0) != BlockStatus.ok)
        }

        /// Compressed data are an error to the guest; their neighbours are not.
        @Test(.enabled(if: QEMUImage.isPresent, present))
        func compressedDataAreAnErrorToTheGuest() throws {
            let folder = try ImageFolder(.disk)
            let image = folder.file("image")
            for command in [
                ["qemu-img", "create", "-q", "-f", "qcow2", image, "1M"],
                ["qemu-io", "-f", "qcow2", "-c", "write -c -P 7 0 64k", image],
                ["qemu-io", "-f", "qcow2", "-c", "write -P 8 64k 64k", image],
            ] {
                #expect(try QEMUImage.run(command).status == 0)
            }
            let file = try BackingFile(opening: image, readOnly: false)
            let rig = try ImageRig(file)
            #expect(file.fault.description == nil)
            #expect(rig.read(0, count: 512) == nil)
            // The guest is told of an error, whoever watches of the reason.
            #expect(file.fault.description?.contains("compressed") == true)
            #expect(rig.read(65_536, count: 512) == Array(repeating: 8, count: 512))
            #expect(rig.write(Array(repeating: 1, count: 512), at: 1024) == BlockStatus.ioError)
            #expect(rig.write(Array(repeating: 1, count: 512), at: 512 << 10) == BlockStatus.ok)
            rig.close()
            try QEMUImage.expectClean(image)
        }
    }
}
