/*
 * The ward of these tests without suspending functions, for JavaTest.java.
 */
package dev.wardline

import dev.wardline.testing.WakeUp
import kotlinx.coroutines.DelicateCoroutinesApi
import kotlinx.coroutines.GlobalScope
import kotlinx.coroutines.future.future
import kotlinx.coroutines.runBlocking
import java.io.File
import java.util.concurrent.CompletableFuture

class JavaWard(folder: File) : AutoCloseable {
    private val ward = runBlocking { Ward.open(folder) }

    fun ticket(user: String): String = runBlocking { ward.authority.mintTicket(user) }

    fun publish() = runBlocking { ward.publish() }

    fun transport(): Transport = ward.relay.transport()

    fun nextWakeUp(): WakeUp = runBlocking { ward.relay.nextWakeUp() }

    fun keys(name: String): KeyStore = Wardline.fileKeyStore(File(ward.folder, "$name.keys"))

    fun config(name: String, transport: Transport, keys: KeyStore): Config = ward.config(name, transport, keys)

    @OptIn(DelicateCoroutinesApi::class)
    fun carry(request: RelayRequest): CompletableFuture<RelayResponse> = GlobalScope.future { transport().call(request) }

    override fun close() = runBlocking { ward.close() }
}
