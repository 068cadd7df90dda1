import Telemetry
import Testing

@testable import Doctor

@Suite("Words of evidence")
struct WordsTests {
    @Test func figuresHaveTheDigitsThatMatter() {
        #expect(figures(1_601_753) == "1601753")
        #expect(figures(94.4) == "94")
        #expect(figures(9.44) == "9.4")
        #expect(figures(0.434) == "0.43")
        #expect(figures(0.05) == "0.05")
        #expect(figures(0) == "0")
        #expect(figures(.nan) == "-")
        #expect(figures(.infinity) == "-")
    }

    @Test func bytesAndDurationsHaveUnits() {
        #expect(bytes(33_554_432) == "32 MiB")
        #expect(bytes(512) == "512 B")
        #expect(duration(microseconds: 850) == "850 µs")
        #expect(duration(microseconds: 2400) == "2.4 ms")
        #expect(duration(microseconds: 1_200_000) == "1.2 s")
    }

    @Test func longListsAreCut() {
        #expect(list(["a", "b"]) == "a, b")
        #expect(list(["a", "b", "c", "d", "e", "f"]) == "a, b, c, d and 2 more")
    }

    @Test func releasesAreReadFromWhateverThereIs() {
        #expect(Release("7.2.22") == Release(7, 2))
        #expect(Release("6.1.0-18-amd64") == Release(6, 1))
        #expect(Release("10.0") == Release(10, 0))
        #expect(Release("5.14-rc1") == Release(5, 14))
        #expect(Release("next") == nil)
        #expect(Release(7, 2) < Release(10, 0))
    }

    @Test func textIsFoldedAtBlanks() {
        #expect(folded("one two three", to: 8) == ["one two", "three"])
        #expect(folded("a\nb", to: 8) == ["a", "b"])
        #expect(folded("unbreakable", to: 4) == ["unbreakable"])
    }
}
