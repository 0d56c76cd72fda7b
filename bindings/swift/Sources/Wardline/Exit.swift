// The end of the process: threads of the library stop before what they work with is gone.

import Foundation
internal import WardlineFFI

enum Exit {
    /// Look at it once a store was opened: exit handlers run in the opposite order of their coming, and the library's store
    /// has one of its own, which frees what a thread may be encrypting with. Ours must run before that one.
    static let isWatched: Bool = {
        atexit {
            WardlineFFI.stopRuntime(waitMs: 3000)
        } == 0
    }()
}
