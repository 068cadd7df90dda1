import Telemetry
import Testing

@Suite("Releases")
struct ReleaseTests {
    @Test(
        arguments: [
            ("7.2.22", Release(7, 2)), ("6.1.0-18-amd64", Release(6, 1)), ("10.0", Release(10, 0)),
            ("5.4-rc1", Release(5, 4)), ("7", nil), ("x.1", nil), ("", nil),
        ] as [(String, Release?)])
    func areTheFirstTwoNumbers(text: String, release: Release?) {
        #expect(Release(text) == release)
    }

    @Test func areInOrder() {
        #expect(Release(9, 2) < Release(10, 0))
        #expect(Release(5, 2) < Release(5, 10))
        #expect(!(Release(5, 2) < Release(5, 2)))
    }
}
