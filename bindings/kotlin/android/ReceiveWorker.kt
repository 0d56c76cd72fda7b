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
import dev.wardline.Inbox
import dev.wardline.WardlineException
import java.time.Duration
import java.util.concurrent.TimeUnit

/** Takes what waits, confirms it, and notifies. It has the inbox key alone and cannot read. */
class ReceiveWorker(context: Context, parameters: WorkerParameters) : CoroutineWorker(context, parameters) {
    override suspend fun doWork(): Result = try {
        // Beside the app's client on the same folder, which may be open or not.
        Inbox.open((applicationContext as WardApp).config).use { inbox ->
            val collected = inbox.collect(Duration.ofSeconds(30))
            for (notice in collected.notices) {
                // One that is shown again replaces itself. The reference would tell who writes how often.
                notifyOf(notice.tag, notice.tier, notice.sender?.displayName)
            }
            inbox.shown(collected.notices.map { it.reference })
            if (collected.complete) Result.success() else Result.retry()
        }
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
