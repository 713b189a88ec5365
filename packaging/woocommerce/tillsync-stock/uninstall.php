<?php
/**
 * Deleting the plugin deletes its table. Deactivating it does not: keys must outlive an update.
 *
 * @package tillsync-stock
 */

defined( 'WP_UNINSTALL_PLUGIN' ) || exit;

require_once __DIR__ . '/includes/class-tillsync-operations.php';
Tillsync_Operations::uninstall();
