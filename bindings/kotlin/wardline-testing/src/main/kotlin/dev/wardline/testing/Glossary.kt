/*
 * Every error an app can get: for a test that asks whether the app has words for each.
 */
package dev.wardline.testing

import dev.wardline.WardlineException
import dev.wardline.ffi.errorCodes
import dev.wardline.ffi.raiseError
import dev.wardline.internal.native

/** What can go wrong, as a list. */
public object Glossary {
    /** One exception for each code, as a call throws it. Lengths and limits in them are examples. */
    @JvmStatic
    public fun everyError(): List<WardlineException> = native { errorCodes() }.map { thrown(it.code) }

    private fun thrown(code: String): WardlineException = try {
        native { raiseError(code) }
        error(code)
    } catch (thrown: WardlineException) {
        thrown
    }
}
