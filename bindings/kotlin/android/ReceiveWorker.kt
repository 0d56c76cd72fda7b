/*
 * A sample: receiving in the background with WorkManager. Copy it into the app and change what the app decides.
 *
 * Written down, not run and not compiled here: see ../ANDROID.md.
 */
package com.example.ward

import android.content.Context
import androidx.work.BackoffPolicy
import androidx.work.Constraints
import androidx.work.CoroutineWorker
import androidx.work.ExistingWorkPolicy
import androidx.work.NetworkType
import androidx.work.OneTimeWorkRequestBuilder
import androidx.work.OutOfQuotaPolicy
import androidx.work.WorkManager
import androidx.work.WorkerParameters
import dev.wardline.Client
import dev.wardline.MessageArrived
import dev.wardline.WardlineException
import java.util.concurrent.TimeUnit

/** One round with the relay: what waits comes in, what was written leaves, receipts go out. The client stays locked. */
class ReceiveWorker(context: Context, parameters: WorkerParameters) : CoroutineWorker(context, parameters) {
    override suspend fun doWork(): Result = try {
        // A second client on the folder is fine: the app in the foreground and this worker share the store.
        Client.open((applicationContext as WardApp).config).use { client ->
            client.syncOnce()
            // Read, not confirmed: the app itself deals with them when it opens.
            for (event in client.eventsFrom()) {
                if (event is MessageArrived) notifyOf(event.tier)
            }
        }
        Result.success()
    } catch (error: WardlineException) {
        if (error.retryable) Result.retry() else Result.failure()
    }

    companion object {
        /** Call it for a push, whatever the push says, and when the network comes back. */
        fun enqueue(context: Context) {
            val request = OneTimeWorkRequestBuilder<ReceiveWorker>()
                .setExpedited(OutOfQuotaPolicy.RUN_AS_NON_EXPEDITED_WORK_REQUEST)
                .setConstraints(Constraints.Builder().setRequiredNetworkType(NetworkType.CONNECTED).build())
                .setBackoffCriteria(BackoffPolicy.EXPONENTIAL, 10, TimeUnit.SECONDS)
                .build()
            // One at a time; a push during a round asks for another round.
            WorkManager.getInstance(context)
                .enqueueUniqueWork("wardline.receive", ExistingWorkPolicy.APPEND_OR_REPLACE, request)
        }
    }
}
