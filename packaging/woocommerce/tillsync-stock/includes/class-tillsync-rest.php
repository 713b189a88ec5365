<?php
/**
 * The REST routes: who may ask, and what a request must look like.
 *
 * @package tillsync-stock
 */

defined( 'ABSPATH' ) || exit;

/**
 * Routes below tillsync/v1.
 */
class Tillsync_Rest {
	const SPACE = 'tillsync/v1';

	/** Version of this contract; the agent uses no other. */
	const CONTRACT = 1;

	/** Longest key and row id. */
	const KEY_MAX = 150;

	/** Beyond this a number is a mistake. */
	const NUMBER_MAX = 1000000000;

	/**
	 * Registers the routes.
	 */
	public static function register() {
		$routes = array(
			'/info'    => array( 'GET', 'info' ),
			'/stock'   => array( 'POST', 'stock' ),
			'/outcome' => array( 'POST', 'outcome' ),
		);
		foreach ( $routes as $path => $route ) {
			register_rest_route(
				self::SPACE,
				$path,
				array(
					'methods'             => $route[0],
					'callback'            => array( __CLASS__, $route[1] ),
					'permission_callback' => array( __CLASS__, 'may' ),
				)
			);
		}
	}

	/**
	 * Makes WooCommerce look at its keys on our routes too.
	 *
	 * @param bool $is Whether it does already.
	 * @return bool
	 */
	public static function is_ours( $is ) {
		// phpcs:ignore WordPress.Security.ValidatedSanitizedInput -- only searched, never kept.
		$asked = isset( $_SERVER['REQUEST_URI'] ) ? rawurldecode( $_SERVER['REQUEST_URI'] ) : '';
		return $is || false !== strpos( $asked, '/' . self::SPACE . '/' );
	}

	/**
	 * The same right as for WooCommerce's own batches of products.
	 *
	 * @return bool
	 */
	public static function may() {
		return current_user_can( 'edit_others_products' );
	}

	/**
	 * GET info.
	 *
	 * @return array
	 */
	public static function info() {
		return array(
			'plugin'        => 'tillsync-stock',
			'version'       => '1.0.0',
			'contract'      => self::CONTRACT,
			'keep_days'     => Tillsync_Operations::KEEP_DAYS,
			'rows_max'      => Tillsync_Stock::ROWS_MAX,
			'transactional' => Tillsync_Operations::is_transactional(),
			'manage_stock'  => 'yes' === get_option( 'woocommerce_manage_stock' ),
			'woocommerce'   => defined( 'WC_VERSION' ) ? WC_VERSION : '',
		);
	}

	/**
	 * POST stock.
	 *
	 * @param WP_REST_Request $request The request.
	 * @return array|WP_Error
	 */
	public static function stock( $request ) {
		$body = $request->get_json_params();
		$key  = self::key( $body );
		$rows = isset( $body['rows'] ) && is_array( $body['rows'] ) ? array_values( $body['rows'] ) : array();
		if ( count( $rows ) > Tillsync_Stock::ROWS_MAX ) {
			return new WP_Error( 'tillsync_too_large', 'Too many rows.', array( 'status' => 413 ) );
		}
		$checked = array_map( array( __CLASS__, 'row' ), $rows );
		$marker  = isset( $body['marker'] ) ? $body['marker'] : null;
		$marked  = is_string( $marker ) && 1 === preg_match( '/^_tillsync_[a-z0-9_-]{1,60}$/D', $marker );
		if ( null === $key || ! $marked || array() === $rows || in_array( null, $checked, true ) ) {
			return new WP_Error( 'tillsync_invalid', 'A key, a marker and rows of {id, product, delta} or {id, product, set, expect} are needed.', array( 'status' => 400 ) );
		}
		return Tillsync_Stock::change( $key, $marker, $checked );
	}

	/**
	 * POST outcome.
	 *
	 * @param WP_REST_Request $request The request.
	 * @return array|WP_Error
	 */
	public static function outcome( $request ) {
		$key = self::key( $request->get_json_params() );
		if ( null === $key ) {
			return new WP_Error( 'tillsync_invalid', 'A key is needed.', array( 'status' => 400 ) );
		}
		return Tillsync_Stock::outcome( $key );
	}

	/**
	 * The key of a body.
	 *
	 * @param mixed $body The body.
	 * @return string|null
	 */
	private static function key( $body ) {
		$key = is_array( $body ) && isset( $body['key'] ) ? $body['key'] : null;
		return is_string( $key ) && self::is_token( $key ) ? $key : null;
	}

	/**
	 * A row, whole numbers only; null if it is not one. Nothing is guessed: "abc" is no 0 here.
	 *
	 * @param mixed $row The row.
	 * @return array|null
	 */
	private static function row( $row ) {
		if ( ! is_array( $row ) || ! isset( $row['id'], $row['product'] ) || ! is_string( $row['id'] ) || ! self::is_token( $row['id'] ) ) {
			return null;
		}
		if ( ! is_int( $row['product'] ) || $row['product'] < 1 ) {
			return null;
		}
		$checked = array( 'id' => $row['id'], 'product' => $row['product'] );
		$names   = isset( $row['delta'] ) ? array( 'delta' ) : array( 'set', 'expect' );
		if ( isset( $row['delta'] ) && ( isset( $row['set'] ) || isset( $row['expect'] ) ) ) {
			return null;
		}
		foreach ( $names as $name ) {
			if ( ! isset( $row[ $name ] ) || ! is_int( $row[ $name ] ) || abs( $row[ $name ] ) > self::NUMBER_MAX ) {
				return null;
			}
			$checked[ $name ] = $row[ $name ];
		}
		return $checked;
	}

	/**
	 * Visible ASCII of a bounded length.
	 *
	 * @param string $text A text.
	 * @return bool
	 */
	private static function is_token( $text ) {
		return 1 === preg_match( '/^[\x21-\x7e]{1,' . self::KEY_MAX . '}$/D', $text );
	}
}
