<?php
/**
 * Plugin Name: Tillsync Stock
 * Description: Lets the Tillsync agent of a store change stock exactly once: atomic, remembered by key, compared before it is overwritten.
 * Version: 1.0.0
 * Requires at least: 6.4
 * Requires PHP: 7.4
 * Requires Plugins: woocommerce
 * WC requires at least: 8.0
 * License: GPL-2.0-or-later
 * License URI: https://www.gnu.org/licenses/gpl-2.0.html
 *
 * What it does: three REST routes below /wp-json/tillsync/v1, for the same keys as WooCommerce's own REST API.
 * What it never does: touch prices, products or orders, call out to anybody, show anything to visitors.
 *
 * @package tillsync-stock
 */

defined( 'ABSPATH' ) || exit;

require_once __DIR__ . '/includes/class-tillsync-operations.php';
require_once __DIR__ . '/includes/class-tillsync-stock.php';
require_once __DIR__ . '/includes/class-tillsync-rest.php';

register_activation_hook( __FILE__, array( 'Tillsync_Operations', 'install' ) );
register_deactivation_hook( __FILE__, array( 'Tillsync_Operations', 'unschedule' ) );
add_action( 'tillsync_prune', array( 'Tillsync_Operations', 'prune' ) );
add_action( 'plugins_loaded', array( 'Tillsync_Operations', 'upgrade' ) );
add_action( 'rest_api_init', array( 'Tillsync_Rest', 'register' ) );

// WooCommerce looks at its keys only on routes that it takes for its own.
add_filter( 'woocommerce_rest_is_request_to_rest_api', array( 'Tillsync_Rest', 'is_ours' ) );
